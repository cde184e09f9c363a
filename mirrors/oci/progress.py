"""How far a copy is: counters that blob threads add to, and reports at most twice a second."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from mirrors.oci.manifests import Descriptor

Way = Literal["copied", "mounted", "skipped"]


@dataclass(frozen=True, slots=True)
class Progress:
    """Bytes of blobs; `bytes_copied` includes what is on its way."""

    bytes_total: int = 0
    bytes_copied: int = 0
    bytes_mounted: int = 0
    bytes_skipped: int = 0
    blobs_total: int = 0
    blobs_done: int = 0


class Counter:
    """Counts one image's blobs. `add` is called from any thread, `report` from the image's own, so that the callback
    may use what belongs to that thread (a database connection)."""

    def __init__(self, callback: Callable[[Progress], None] | None, interval: float) -> None:
        self._callback = callback
        self._interval = interval
        self._next_at = time.monotonic() + interval
        self._lock = threading.Lock()
        self._totals = (0, 0)
        self._done = 0
        self._moving = 0
        self._bytes: dict[Way, int] = {"copied": 0, "mounted": 0, "skipped": 0}

    def expect(self, blobs: Iterable[Descriptor]) -> None:
        sizes = [blob.size or 0 for blob in blobs]
        self._totals = (len(sizes), sum(sizes))

    def add(self, count: int) -> None:
        """Bytes that were sent; negative when an upload has to start again."""
        with self._lock:
            self._moving += count

    def finish(self, blob: Descriptor, way: Way, *, moved: bool) -> None:
        """One blob is there. `moved` tells that its bytes went through `add`."""
        size = blob.size or 0
        with self._lock:
            self._done += 1
            self._bytes[way] += size
            self._moving -= size if moved else 0

    def report(self, *, final: bool = False) -> None:
        now = time.monotonic()
        if self._callback is not None and (final or now >= self._next_at):
            self._next_at = now + self._interval
            self._callback(self.snapshot())

    def snapshot(self) -> Progress:
        with self._lock:
            copied = self._bytes["copied"] + max(0, self._moving)
            blobs, total = self._totals
            return Progress(total, copied, self._bytes["mounted"], self._bytes["skipped"], blobs, self._done)
