"""Errors of jobs: their classes, and the registry that an error is about."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from mirrors.images import DEFAULT_REGISTRY, DOCKER_HUB_ALIASES, InvalidReferenceError, normalise_host


class ErrorClass(models.TextChoices):
    """The class of a job's error, as logs, metrics, API and pages name it: the engine's codes, and our own."""

    NONE = "", "No error"
    NOT_FOUND = "not-found", "Not found"
    DENIED = "denied"
    UNAUTHORIZED = "unauthorized"
    RATE_LIMITED = "rate-limited", "Rate limited"
    UNAVAILABLE = "unavailable"
    TIMEOUT = "timeout"
    BAD_DIGEST = "bad-digest", "Bad digest"
    UNSUPPORTED = "unsupported"
    INVALID = "invalid"
    TOO_LARGE = "too-large", "Too large"
    ADDRESS_REFUSED = "address-refused", "Address refused"
    TLS = "tls", "TLS"
    TAG_IMMUTABLE = "tag-immutable", "Tag immutable"
    CONFLICT = "conflict"
    CREDENTIAL = "credential"
    WORKER_LOST = "worker-lost", "Worker lost"
    INTERNAL = "internal"


def recorded_for(host: str) -> Q:
    """Return the condition of jobs with an error of this registry. ``error_host`` is the host as in references. Earlier
    releases recorded it without the port, and for Docker Hub the host of its API; for these errors, the job's source
    and target show which registry is meant, as in ``registry_of``."""
    host = known_host(host)
    names = [host, *sorted(DOCKER_HUB_ALIASES)] if host == DEFAULT_REGISTRY else [host]
    name, has_port = _without_port(host)
    in_source, in_target = Q(mapping__source__startswith=f"{host}/"), Q(mapping__target__startswith=f"{host}/")
    at_port = Q(mapping__source__startswith=f"{name}:"), Q(mapping__target__startswith=f"{name}:")
    if not has_port:
        return Q(error_host__in=names) & (in_source | in_target | ~(at_port[0] | at_port[1]))
    without = Q(mapping__source__startswith=f"{name}/") | Q(mapping__target__startswith=f"{name}/")
    is_of_host = Q(error_host=host) | (~without & (in_source | (in_target & ~at_port[0])))
    # The condition on error_host is repeated at the top level, so that the index of errors by host is used.
    return Q(error_host__in=[host, name]) & is_of_host


def registry_of(error_host: str, source: str, target: str) -> str:
    """Return the registry that an error is about, as references name it. See ``recorded_for``."""
    host = known_host(error_host)
    hosts = [reference.partition("/")[0] for reference in (source, target)]
    if not host or host in hosts:
        return host
    return next((candidate for candidate in hosts if _without_port(candidate) == (host, True)), host)


def known_host(text: str) -> str:
    """Return a host as references name it. Text that is not a valid host is returned unchanged."""
    try:
        return normalise_host(text) if text else ""
    except InvalidReferenceError:
        return text


def _without_port(host: str) -> tuple[str, bool]:
    """Return the host without its port, and whether it had one."""
    name, colon, port = host.rpartition(":")
    return (name, True) if colon and port.isdecimal() else (host, False)
