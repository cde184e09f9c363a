"""The cost of a backfill at the limits of registries: pulls that are counted, and time. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from statistics import fmean
from typing import Final

WINDOW_SECONDS: Final = 21_600.0
"""Seconds in which a pull limit is reported to apply: Docker Hub's six hours."""

UNREAD_MANIFESTS: Final = 17
"""Manifests of an image that was not read: Docker's official images have an index, about eight platforms, and an
attestation for each of them."""

UNREAD_BLOBS: Final = 10
"""Layers and configurations of an image that was not read: two platforms' worth of an ordinary one. It counts only
where a registry limits single requests."""


@dataclass(frozen=True, slots=True)
class Measured:
    """An image, by its manifests where they were read (else None)."""

    host: str
    manifests: int | None = None
    blobs: int | None = None
    size: int | None = None


@dataclass(frozen=True, slots=True)
class PullBudget:
    """Pulls that a registry counts for our account: reported ones, or what is known to apply without a report. A
    backfill leaves ``reserve`` percent of them to pods."""

    limit: int
    remaining: int
    reserve: int

    @property
    def kept(self) -> float:
        return self.limit * self.reserve / 100

    def seconds_for(self, pulls: int) -> float:
        """Return how long so many pulls take: those that remain are free now, the others come back over the window."""
        missing = pulls - max(0.0, self.remaining - self.kept)
        return max(0.0, missing) / (self.limit - self.kept) * WINDOW_SECONDS


@dataclass(frozen=True, slots=True)
class Estimate:
    """``seconds`` is the least that the slowest limit allows; 0 where nothing limits."""

    bytes_total: int
    unmeasured: int
    counted_pulls: int
    seconds: float


Limits = Callable[[str], Mapping[str, float]]
"""Of a host: requests a second by operation, of all workers together."""


def estimate(images: Iterable[Measured], *, pulls: Mapping[str, PullBudget], limits: Limits, target: str) -> Estimate:
    """``pulls`` are the hosts that count pulls; ``target`` is the host of the target."""
    by_host: dict[str, list[Measured]] = defaultdict(list)
    for image in images:
        by_host[image.host].append(image)
    manifests = {host: _manifests(found) for host, found in by_host.items()}
    blobs = {host: _blobs(found) for host, found in by_host.items()}
    counted = {host: manifests[host] for host in by_host if host in pulls}
    waits = [pulls[host].seconds_for(count) for host, count in counted.items()]
    waits += [_at_source(manifests[host] + blobs[host], limits(host)) for host in by_host]
    waits.append(_at_target(sum(manifests.values()), sum(blobs.values()), limits(target)))
    everything = [image for found in by_host.values() for image in found]
    return Estimate(
        bytes_total=sum(image.size or 0 for image in everything),
        unmeasured=sum(image.size is None for image in everything),
        counted_pulls=sum(counted.values()),
        seconds=max(waits),
    )


def _manifests(images: list[Measured]) -> int:
    """Of a host; an image that was not read counts as the mean of the others."""
    known = [image.manifests for image in images if image.manifests is not None]
    return round(sum(known) + (len(images) - len(known)) * (fmean(known) if known else UNREAD_MANIFESTS))


def _blobs(images: list[Measured]) -> int:
    known = [image.blobs for image in images if image.blobs is not None]
    return round(sum(known) + (len(images) - len(known)) * (fmean(known) if known else UNREAD_BLOBS))


def _at_source(reads: int, limits: Mapping[str, float]) -> float:
    slowest = min((limits[name] for name in ("get", "request") if limits.get(name)), default=None)
    return reads / slowest if slowest else 0.0


def _at_target(manifests: int, blobs: int, limits: Mapping[str, float]) -> float:
    """Each blob is an upload begun and ended, with a look before it; each manifest is one write."""
    costs = {
        "put-manifest": manifests,
        "start-upload": blobs,
        "finish-upload": blobs,
        "head": blobs + manifests,
        "write": manifests + 2 * blobs,
        "request": 2 * manifests + 3 * blobs,
    }
    return max((cost / limits[name] for name, cost in costs.items() if limits.get(name)), default=0.0)
