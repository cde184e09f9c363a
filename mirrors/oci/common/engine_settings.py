"""The limits and timeouts of the engine, with their defaults."""

from __future__ import annotations

import random
from dataclasses import dataclass

KIB = 1024
"""Bytes."""

MIB = 1024 * KIB
"""Bytes."""

GIB = 1024 * MIB
"""Bytes."""

MAX_MANIFEST_BYTES = 8 * MIB
"""Bytes of one manifest: twice the 4 MiB that registries should accept according to the OCI specification."""

MAX_IMAGE_MANIFEST_BYTES = 64 * MIB
"""Bytes of all manifests of an image, which are held in memory together."""

MAX_IMAGE_MANIFESTS = 2_000
"""Manifests of an image: its platforms, and the signatures and attestations of each. Real images have some dozens."""

MAX_IMAGE_BLOBS = 20_000
"""Blobs of an image: ten for each of its manifests."""

MAX_SHORT_TARGET_REQUESTS = 16
"""Requests in flight at a target in addition to large blobs: HEADs, manifests, upload sessions and small blobs."""


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """The settings of an engine. Times are in seconds, sizes in bytes. `images` is the number of concurrent callers
    that copy, `blobs` the number of threads for large blobs and, separately, for small ones."""

    images: int = 8
    blobs: int = 16
    max_image_bytes: int = 20 * GIB
    requests_per_host: int = 20
    """Requests in flight: as many as a pool of blobs has threads, and a quarter more for small blobs and short
    requests."""
    requests_per_image: int = 32
    """Short requests that are running or waiting for a slot: as many as source and target together accept at a time."""
    check_age: float = 2.0
    """How long a check of a blob at the target remains valid while its transfer waits for a thread: a few round
    trips."""
    requests_per_second: float | None = None
    connect_timeout: float = 5.0
    stall_timeout: float = 30.0
    reply_timeout: float = 60.0
    chunk_bytes: int = 256 * KIB
    small_blob_bytes: int = 256 * KIB
    """The maximum size of a blob that is read whole before it is sent: as much as one read of a large blob returns."""
    inline_wait: float = 60.0
    slow_seconds: float = 60.0
    """The window over which `slow_bytes_per_second` is measured, and the time for a target to accept each chunk."""
    slow_bytes_per_second: float = 4.0 * KIB
    """The minimum rate of one blob. Sixteen blobs at this rate need about 512 kbit/s, the bandwidth of a slow modem."""
    plan_seconds: float = 900.0
    """The time limit for reading all manifests of an image. Up to 2,000 are read, many of them at the same time."""
    copy_seconds: float = 7_200.0
    """The time limit for the copy of an image; 20 GiB need 3 MB/s. The next attempt keeps the blobs at the target."""
    referrers_seconds: float = 120.0
    """The time limit for copying the signatures of an image. Each has a few KiB, and a pod may be waiting."""
    trusted_ca: str | None = None
    backoff_base: float = 0.5
    backoff_cap: float = 15.0
    retries: int = 5
    upload_tries: int = 3
    resume_progress_bytes: int = MIB
    progress_interval: float = 0.5

    def is_small(self, size: int | None) -> bool:
        """Return whether a blob of this size is read whole before it is sent."""
        return size is not None and size <= self.small_blob_bytes

    def backoff(self, attempt: int) -> float:
        """Return the seconds to wait after try `attempt` (from 0): doubled each time, with jitter to spread clients."""
        pause: float = min(self.backoff_cap, self.backoff_base * 2**attempt)
        return pause * random.uniform(0.5, 1.0)
