"""The estimated cost of a backfill within the limits of registries: counted pulls and time. Pure functions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from statistics import fmean
from typing import Final

WINDOW_SECONDS: Final = 21_600.0
"""The assumed time window of pull limits in seconds: Docker Hub's six hours."""

UNREAD_MANIFESTS: Final = 17
"""The assumed number of manifests of an image that was not read: Docker's official images have an index, about eight
platforms, and an attestation for each platform."""

UNREAD_BLOBS: Final = 10
"""The assumed number of layers and configurations of an image that was not read: those of two platforms of an ordinary
image. It matters only if a registry limits single requests."""


@dataclass(frozen=True, slots=True)
class MeasuredImage:
    """An image, with the numbers from its manifests; None if they were not read."""

    host: str
    manifests: int | None = None
    blobs: int | None = None
    size: int | None = None


@dataclass(frozen=True, slots=True)
class PullBudget:
    """The pull limit of a registry for the account that copies use: the reported one, or else the documented one. A
    backfill leaves ``reserve`` percent of ``limit`` to pods."""

    limit: int
    remaining: int
    reserve: int

    @property
    def reserved(self) -> float:
        return self.limit * self.reserve / 100

    def seconds_for(self, pulls: int) -> float:
        """Return the seconds that so many pulls take. The remaining pulls are available now; used ones become available
        again over the time window."""
        waiting = pulls - max(0.0, self.remaining - self.reserved)
        return max(0.0, waiting) / (self.limit - self.reserved) * WINDOW_SECONDS


@dataclass(frozen=True, slots=True)
class Estimate:
    """The cost of a backfill. ``seconds`` is the minimum according to the slowest limit; 0 without limits.
    ``unmeasured`` is the number of images whose size is not known."""

    bytes_total: int
    unmeasured: int
    counted_pulls: int
    seconds: float


Limits = Callable[[str], Mapping[str, float]]
"""Returns the limits of a host: requests per second of all workers together, by operation."""


def estimate(
    images: Iterable[MeasuredImage], *, pulls: Mapping[str, PullBudget], limits: Limits, target: str
) -> Estimate:
    """Estimate the cost of mirroring these images. ``pulls`` has the hosts that count pulls; ``target`` is the host of
    the target."""
    by_host: dict[str, list[MeasuredImage]] = defaultdict(list)
    for image in images:
        by_host[image.host].append(image)
    manifests = {host: _manifests(host_images) for host, host_images in by_host.items()}
    blobs = {host: _blobs(host_images) for host, host_images in by_host.items()}
    counted = {host: manifests[host] for host in by_host if host in pulls}
    waits = [pulls[host].seconds_for(count) for host, count in counted.items()]
    waits += [_at_source(manifests[host] + blobs[host], limits(host)) for host in by_host]
    waits.append(_at_target(sum(manifests.values()), sum(blobs.values()), limits(target)))
    all_images = [image for host_images in by_host.values() for image in host_images]
    return Estimate(
        bytes_total=sum(image.size or 0 for image in all_images),
        unmeasured=sum(image.size is None for image in all_images),
        counted_pulls=sum(counted.values()),
        seconds=max(waits),
    )


def _manifests(images: list[MeasuredImage]) -> int:
    """Return the number of manifests. An image that was not read counts with the mean of the others."""
    counts = [image.manifests for image in images if image.manifests is not None]
    return round(sum(counts) + (len(images) - len(counts)) * (fmean(counts) if counts else UNREAD_MANIFESTS))


def _blobs(images: list[MeasuredImage]) -> int:
    counts = [image.blobs for image in images if image.blobs is not None]
    return round(sum(counts) + (len(images) - len(counts)) * (fmean(counts) if counts else UNREAD_BLOBS))


def _at_source(reads: int, limits: Mapping[str, float]) -> float:
    slowest = min((limits[name] for name in ("get", "request") if limits.get(name)), default=None)
    return reads / slowest if slowest else 0.0


def _at_target(manifests: int, blobs: int, limits: Mapping[str, float]) -> float:
    """Return the seconds at the target. Each blob costs a HEAD, and the start and end of an upload; each manifest costs
    a HEAD and a write."""
    costs = {
        "put-manifest": manifests,
        "start-upload": blobs,
        "finish-upload": blobs,
        "head": blobs + manifests,
        "write": manifests + 2 * blobs,
        "request": 2 * manifests + 3 * blobs,
    }
    return max((cost / limits[name] for name, cost in costs.items() if limits.get(name)), default=0.0)
