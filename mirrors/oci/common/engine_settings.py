"""The engine's limits and time-outs, with the defaults that the design settled on."""

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
"""Bytes of one manifest: twice the 4 MiB that registries should take by the OCI specification."""

MAX_IMAGE_MANIFEST_BYTES = 64 * MIB
"""Bytes of all manifests of an image, which are in memory together."""

MAX_IMAGE_MANIFESTS = 2_000
"""Manifests of an image: its platforms, and signatures and attestations of each, some dozen."""

MAX_IMAGE_BLOBS = 20_000
"""Blobs of an image: ten for each of its manifests."""

MAX_TARGET_REQUESTS_BESIDE_BLOBS = 16
"""In flight at a target beside its large blobs: HEADs, manifests, upload sessions and small blobs."""


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """Times are seconds, sizes bytes. `images` is how many callers copy at once, `blobs` the threads of the pool."""

    images: int = 8
    blobs: int = 16
    max_image_bytes: int = 20 * GIB
    requests_per_host: int = 20
    """In flight; as many as the pool of blobs has threads, and a quarter more for small blobs and short requests."""
    requests_per_image: int = 32
    """Short ones, under way or waiting for a slot: as many as source and target together take at once."""
    look_age: float = 2.0
    """For which it counts what the target said of a blob before its transfer began: a few round trips."""
    requests_per_second: float | None = None
    connect_timeout: float = 5.0
    stall_timeout: float = 30.0
    reply_timeout: float = 60.0
    chunk_bytes: int = 256 * KIB
    small_blob_bytes: int = 256 * KIB
    """Of a blob that is read whole before it is sent: what one read of a large one brings."""
    inline_wait: float = 60.0
    slow_seconds: float = 60.0
    """The window over which `slow_bytes_per_second` is measured, and in which a target takes each chunk."""
    slow_bytes_per_second: float = 4.0 * KIB
    """Of one blob; sixteen at this rate still fill less than a modem's line of 512 kbit/s."""
    plan_seconds: float = 900.0
    """In which all manifests of an image are read: 2,000 of them at half a second each, with room."""
    copy_seconds: float = 7_200.0
    """In which an image is copied; 20 GiB need 3 MB a second. The next try keeps the blobs that are there."""
    referrers_seconds: float = 120.0
    """In which the signatures of an image are copied; each has a few KiB, and a pod may be waiting."""
    trusted_ca: str | None = None
    backoff_base: float = 0.5
    backoff_cap: float = 15.0
    retries: int = 5
    upload_tries: int = 3
    resume_progress_bytes: int = MIB
    progress_interval: float = 0.5

    def is_small(self, size: int | None) -> bool:
        """Whether a blob of this size is read whole before it is sent."""
        return size is not None and size <= self.small_blob_bytes

    def backoff(self, attempt: int) -> float:
        """Seconds to wait after try `attempt` (from 0): doubled each time, jittered so that clients spread."""
        pause: float = min(self.backoff_cap, self.backoff_base * 2**attempt)
        return pause * random.uniform(0.5, 1.0)
