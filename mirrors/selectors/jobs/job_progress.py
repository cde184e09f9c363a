"""The progress of a running copy, as pages and the API show it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from django.utils import timezone

from mirrors.models import JobProgress, MirrorJob

CURRENT_SECONDS: Final = 30.0
"""The longest age, in seconds, of a progress from which the remaining time is estimated. Progress is written every half
second while bytes arrive."""


@dataclass(frozen=True, slots=True)
class BlobView:
    digest: str
    size: int
    sent: int

    @property
    def percent(self) -> int:
        return min(100, round(100 * self.sent / self.size)) if self.size else 0


@dataclass(frozen=True, slots=True)
class CopyView:
    """The progress of a copy, in bytes of blobs. ``bytes_per_second`` is the mean of the attempt; ``seconds_left`` is
    None if it cannot be estimated."""

    bytes_total: int
    bytes_done: int
    bytes_copied: int
    bytes_mounted: int
    bytes_skipped: int
    blobs_total: int
    blobs_done: int
    moving: tuple[BlobView, ...]
    bytes_per_second: float
    seconds_left: float | None

    @property
    def percent(self) -> int:
        return min(100, round(100 * self.bytes_done / self.bytes_total)) if self.bytes_total else 0


def copy_progress(job: MirrorJob) -> CopyView | None:
    """Return the progress of a job; None before its first attempt."""
    row = JobProgress.objects.filter(job=job).first()
    return view(row) if row is not None else None


def view(row: JobProgress) -> CopyView:
    done = row.bytes_copied + row.bytes_mounted + row.bytes_skipped
    seconds = max(0.5, (row.updated_at - row.started_at).total_seconds())
    speed = row.bytes_copied / seconds
    remaining = row.bytes_total - done
    is_current = (timezone.now() - row.updated_at).total_seconds() < CURRENT_SECONDS
    return CopyView(
        bytes_total=row.bytes_total,
        bytes_done=done,
        bytes_copied=row.bytes_copied,
        bytes_mounted=row.bytes_mounted,
        bytes_skipped=row.bytes_skipped,
        blobs_total=row.blobs_total,
        blobs_done=row.blobs_done,
        moving=tuple(_blob(blob) for blob in row.moving),
        bytes_per_second=speed,
        seconds_left=remaining / speed if is_current and speed > 0 and remaining > 0 else None,
    )


def _blob(blob: dict[str, Any]) -> BlobView:
    return BlobView(digest=str(blob["digest"]), size=int(blob["size"]), sent=int(blob["sent"]))


NOT_BEGUN = CopyView(0, 0, 0, 0, 0, 0, 0, (), 0.0, None)
"""The progress of a job that no worker has started."""
