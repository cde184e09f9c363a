"""Requests per second that all workers together may send to a registry, by published quotas and the configuration."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Final

from mirrors.images.cloud_hosts import ecr_host, parse_ecr_host
from mirrors.oci.distribution.budgets import HostRequestLimits
from swapper_project.config import Config

SHARE_OF_QUOTA: Final = 0.8
"""The share of a published quota that workers use, because nodes pull from the same account."""

ECR_QUOTAS: Final[Mapping[str, float]] = {
    "put-manifest": 10,
    "start-upload": 100,
    "finish-upload": 100,
    "head": 1_000,
    "get": 2_000,
}
"""Requests per second for each account and region: PutImage, InitiateLayerUpload, CompleteLayerUpload,
BatchCheckLayerAvailability, BatchGetImage (docs.aws.amazon.com/AmazonECR/latest/userguide/service-quotas.html)."""

GAR_QUOTAS: Final[Mapping[str, float]] = {"request": 60_000 / 60, "write": 18_000 / 60}
"""Requests per second for each project and location (cloud.google.com/artifact-registry/quotas). A host name contains
only the location, so all projects in a location share one budget, which is stricter than needed."""

_GAR: Final = re.compile(r"[a-z0-9-]+-docker\.pkg\.dev")


def budget_finder(config: Callable[[], Config]) -> Callable[[str], HostRequestLimits | None]:
    """Return a function that finds the limits of a host by the configuration at the time of the call. None means no
    limit."""

    def find(host: str) -> HostRequestLimits | None:
        return _budget(host, config().rate_limits_of(host))

    return find


@lru_cache(maxsize=1_000)
def _budget(host: str, configured: tuple[tuple[str, float], ...]) -> HostRequestLimits | None:
    name, quotas = _published_quotas(host)
    limits = {operation: quota * SHARE_OF_QUOTA for operation, quota in quotas.items()} | dict(configured)
    return HostRequestLimits(name, limits) if limits else None


def _published_quotas(host: str) -> tuple[str, Mapping[str, float]]:
    """Return the name under which the host's requests are counted, and its quotas. All host names of an ECR registry
    count as one, because the quota is for the account in its region."""
    if ecr := parse_ecr_host(host):
        return ecr_host(ecr.account, ecr.region), ECR_QUOTAS
    return host, GAR_QUOTAS if _GAR.fullmatch(host) else {}
