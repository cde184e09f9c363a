"""The contents of a realistic installation: registries, images, namespaces, and eight ways in which copies fail."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

TARGET: Final = "mirror.example.com"

IMAGES: Final = {
    "docker.io": [
        "library/nginx",
        "library/redis",
        "library/postgres",
        "library/busybox",
        "library/rabbitmq",
        "library/traefik",
        "library/mariadb",
        "bitnami/kafka",
        "bitnami/mongodb",
        "grafana/grafana",
        "grafana/loki",
        "prom/node-exporter",
    ],
    "ghcr.io": [
        "external-secrets/external-secrets",
        "fluxcd/source-controller",
        "fluxcd/helm-controller",
        "kyverno/kyverno",
        "aquasecurity/trivy-operator",
        "open-telemetry/opentelemetry-operator/opentelemetry-operator",
    ],
    "quay.io": [
        "prometheus/prometheus",
        "prometheus/alertmanager",
        "jetstack/cert-manager-controller",
        "argoproj/argocd",
        "keycloak/keycloak",
        "cilium/cilium",
    ],
    "registry.k8s.io": [
        "ingress-nginx/controller",
        "metrics-server/metrics-server",
        "kube-state-metrics/ksm",
        "coredns",
    ],
    "public.ecr.aws": ["aws-observability/aws-otel-collector", "karpenter/controller", "eks-distro/pause"],
    "registry.example.com:5000": [
        "shop/frontend",
        "shop/checkout",
        "shop/catalogue",
        "shop/payments",
        "shop/search",
        "data/ingest",
        "data/reports",
        "mobile/gateway",
        "mobile/push",
        "internal/a-service-with-a-very-long-name-that-somebody-chose-in-2017",
    ],
}
"""Repositories by source registry. The last registry is private."""

PRIVATE: Final = "registry.example.com:5000"

NAMESPACES: Final = [
    "shop-frontend",
    "shop-checkout",
    "shop-catalogue",
    "shop-payments",
    "shop-search",
    "shop-staging",
    "data-ingest",
    "data-reports",
    "data-science",
    "mobile-gateway",
    "mobile-push",
    "monitoring",
    "logging",
    "tracing",
    "ingress",
    "cert-manager",
    "argocd",
    "flux-system",
    "external-secrets",
    "kyverno",
    "keycloak",
    "batch",
    "ci-runners",
    "sandbox",
    "team-with-the-longest-namespace-name-that-one-may-well-have",
]

KINDS: Final = ("Deployment", "StatefulSet", "DaemonSet", "CronJob")


@dataclass(frozen=True, slots=True)
class Way:
    """A way in which a copy fails: its error type, whether it was tried five times, and the message, a format string
    with ``{source}`` and ``{host}``."""

    error_class: str
    message: str
    is_retried: bool = False
    says_step: bool = False
    """Whether the message contains a step that the user can take."""

    @property
    def attempts(self) -> int:
        return 5 if self.is_retried else 1


WAYS: Final = (
    Way(
        "not-found",
        "{source} was not found at {host}, or needs authentication: check the image's name and tag; if it is private, "
        "add credentials for {host} under source.registries, or name a pull secret in the pod that reads it.",
        says_step=True,
    ),
    Way(
        "unauthorized",
        "reading the manifest of {source}: {host} responded with 401 (UNAUTHORIZED); check the credentials for this "
        "registry, and that the image exists",
        says_step=True,
    ),
    Way(
        "denied",
        "{source} is not public, and the credentials for {host} are not allowed for sandbox: add it to "
        "`namespaces` of its entry under source.registries, or give them pull secrets that read it.",
        says_step=True,
    ),
    Way(
        "rate-limited",
        "reading the manifest of {source}: {host} responded with 429 (TOOMANYREQUESTS); log in to the registry or "
        "wait for its limit to reset",
        is_retried=True,
        says_step=True,
    ),
    Way("unavailable", "reading a blob of {source}: {host} responded with 503", is_retried=True),
    Way("timeout", "reading a blob of {source}: no byte came from {host} for 30 s", is_retried=True),
    Way(
        "tls",
        "{host} shows a certificate that is not trusted (self-signed certificate): name its authority in caFile of "
        "its entry under source.registries, or in trustedCA.",
        says_step=True,
    ),
    Way(
        "too-large",
        "{source} has 23.4 GiB, more than copy.maxImageBytes allows (20 GiB): raise it, or name the platforms that "
        "you need in `platforms`.",
        says_step=True,
    ),
)

FILTERS: Final = (
    ("kube-system stays as it is", "obj.metadata.namespace == 'kube-system'", 10, True),
    ("images of our own", "starts_with(container.image, 'mirror.example.com/')", 20, True),
    ("opted-out pods", "obj.metadata.labels.\"mirror\" == 'off'", 30, True),
    ("debug containers (off)", "contains(container.name, 'debug')", 40, False),
)

DECISIONS: Final = (("swap", "present", 90), ("keep", "absent", 5), ("keep", "unknown", 2), ("keep", "filtered", 9))
"""Decisions on images with their reasons, and how often in a hundred each occurs."""
