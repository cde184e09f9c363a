"""The progress of a copy: counters that blob threads add to, and reports at most twice a second."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from mirrors.oci.common.descriptors import Descriptor

TransferMethod = Literal["copied", "mounted", "skipped"]


MAX_SHOWN_BLOBS = 16
"""Blobs in transfer that are reported one by one, the largest first."""


@dataclass(frozen=True, slots=True)
class BlobProgress:
    """A blob in transfer, in bytes."""

    digest: str
    size: int
    sent: int


@dataclass(frozen=True, slots=True)
class Progress:
    """The bytes of an image's blobs. `bytes_copied` includes blobs in transfer, which `moving` lists."""

    bytes_total: int = 0
    bytes_copied: int = 0
    bytes_mounted: int = 0
    bytes_skipped: int = 0
    blobs_total: int = 0
    blobs_done: int = 0
    moving: tuple[BlobProgress, ...] = ()

    @property
    def is_complete(self) -> bool:
        """Whether the target has all blobs. Manifests may still have to be pushed."""
        return self.bytes_copied + self.bytes_mounted + self.bytes_skipped == self.bytes_total


class ProgressCounter:
    """Counts the blobs of one image. `add` is called from any thread, `report` only from the image's own thread,
    because the callback may use that thread's database connection."""

    def __init__(self, callback: Callable[[Progress], None] | None, interval: float) -> None:
        self._callback = callback
        self._interval = interval
        self._next_at = time.monotonic() + interval
        self._lock = threading.Lock()
        self._totals = (0, 0)
        self._done = 0
        self._moving: dict[Descriptor, int] = {}
        self._bytes: dict[TransferMethod, int] = {"copied": 0, "mounted": 0, "skipped": 0}

    def expect(self, blobs: Iterable[Descriptor]) -> None:
        sizes = [blob.size or 0 for blob in blobs]
        self._totals = (len(sizes), sum(sizes))

    def add(self, blob: Descriptor, count: int) -> None:
        """Add bytes of the blob that were sent; the count is negative if an upload has to start again."""
        with self._lock:
            self._moving[blob] = self._moving.get(blob, 0) + count

    def finish(self, blob: Descriptor, method: TransferMethod) -> None:
        """Count the blob as done. The bytes that `add` counted for it no longer count."""
        with self._lock:
            self._done += 1
            self._bytes[method] += blob.size or 0
            self._moving.pop(blob, None)

    def report(self, *, final: bool = False) -> None:
        now = time.monotonic()
        if self._callback is not None and (final or now >= self._next_at):
            self._next_at = now + self._interval
            self._callback(self.snapshot())

    def snapshot(self) -> Progress:
        with self._lock:
            copied = self._bytes["copied"] + max(0, sum(self._moving.values()))
            blobs, total = self._totals
            by_size = sorted(self._moving.items(), key=lambda item: -(item[0].size or 0))
            moving = tuple(
                BlobProgress(blob.digest, blob.size or 0, sent) for blob, sent in by_size[:MAX_SHOWN_BLOBS] if sent
            )
            return Progress(total, copied, self._bytes["mounted"], self._bytes["skipped"], blobs, self._done, moving)
