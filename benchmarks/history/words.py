"""The values of fictitious rows: hosts, images, namespaces and errors, in realistic proportions."""

from __future__ import annotations

import random
from typing import Final, TypeVar

T = TypeVar("T")

HOSTS: Final = (
    ("docker.io", 45),
    ("ghcr.io", 20),
    ("quay.io", 15),
    ("registry.k8s.io", 8),
    ("public.ecr.aws", 5),
    ("gcr.io", 3),
    ("mcr.microsoft.com", 2),
    ("registry.gitlab.com", 2),
)
_PARTS = (
    "api auth backup billing cache cart catalog checkout cluster collector controller dashboard dns "
    "exporter frontend gateway grafana ingress inventory kafka keycloak ledger library loki mailer "
    "metrics mongo nats nginx operator orders payments postgres prometheus proxy queue redis report "
    "scheduler search session shipping sidecar storage stream tempo tracing users vault webhook worker"
)
PARTS: Final = _PARTS.split()
ERRORS: Final = (
    ("not-found", 30, "{host} has no {image}: check the image's name and tag, then retry."),
    ("rate-limited", 22, "{host} allows no more pulls (429) for {image}: wait, or add credentials for {host}."),
    ("unavailable", 15, "{host} does not answer for {image}: connection refused."),
    ("unauthorized", 10, "{host} refused the credentials for {image}: check username and password."),
    ("denied", 8, "{host} denies {image}: check the rights of the credentials."),
    ("timeout", 6, "{host} sent no byte of {image} for 30 s."),
    ("too-large", 3, "{image} is larger than copy.maxImageBytes."),
    ("tls", 2, "The certificate of {host} is not trusted ({image}): add its authority."),
    ("worker-lost", 2, "Each attempt ended with the worker that copied {image}."),
    ("bad-digest", 1, "A layer of {image} is not what its digest says."),
    ("internal", 1, "An unforeseen error while {image} was copied: see the attempt's log."),
)
DECISIONS: Final = (
    ("swap", "present", 70),
    ("keep", "absent", 8),
    ("keep", "filtered", 10),
    ("keep", "already-at-target", 6),
    ("keep", "opted-out", 3),
    ("keep", "unknown", 2),
    ("keep", "private", 1),
)
CLUSTERS: Final = ("default", "staging")
STAGING_EVERY: Final = 5
"""The second cluster has one in five namespaces, and one in five rows that watchers write."""

KINDS: Final = ("Deployment", "StatefulSet", "DaemonSet", "CronJob", "Job")


def pool(weighted: tuple[tuple[T, int], ...]) -> list[T]:
    """Return a list with each item as often as its weight, to draw from."""
    return [item for item, weight in weighted for _ in range(weight)]


def cluster_of(namespace: str) -> str:
    return CLUSTERS[int(namespace[-3:]) % STAGING_EVERY == 0]


def namespaces(count: int) -> list[str]:
    return [f"{PARTS[number % len(PARTS)]}-{number:03}" for number in range(count)]


def image(rng: random.Random, number: int, host: str) -> str:
    """Return a canonical reference, which ``number`` makes unique."""
    path = f"{rng.choice(PARTS)}/{rng.choice(PARTS)}-{rng.choice(PARTS)}"
    if number % 20 == 0:
        return f"{host}/{path}@sha256:{number:064x}"
    return f"{host}/{path}:{number % 9}.{number % 97}.{number}"
