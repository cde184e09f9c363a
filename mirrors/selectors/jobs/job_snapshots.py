"""Snapshots of jobs, for commands that wait for copies by any worker."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mirrors.models import MirrorJob
from mirrors.selectors.jobs.job_progress import NOT_BEGUN, BlobView, view


@dataclass(frozen=True, slots=True)
class JobView:
    """A snapshot of a job. Bytes are those of blobs; ``bytes_done`` counts bytes that were copied, mounted or already
    at the target; ``moving`` are the blobs in transfer."""

    job_id: int
    source: str
    target: str
    status: str
    attempts: int
    available_at: datetime
    error_class: str
    error: str
    digest: str
    bytes_total: int
    bytes_done: int
    bytes_copied: int
    moving: tuple[BlobView, ...]

    @property
    def is_finished(self) -> bool:
        return self.status in MirrorJob.TERMINAL

    def as_json(self) -> dict[str, Any]:
        return {
            "image": self.source,
            "target": self.target,
            "status": self.status,
            "digest": self.digest,
            "bytes": self.bytes_total,
            "bytesCopied": self.bytes_copied,
            "attempts": self.attempts,
            "errorClass": self.error_class,
            "error": self.error,
            "job": self.job_id,
        }


def job_views(job_ids: Collection[int]) -> list[JobView]:
    """Return snapshots of the jobs, in the order of their creation."""
    rows = MirrorJob.objects.filter(id__in=job_ids).select_related("mapping", "progress").order_by("id")
    return [_view(row) for row in rows]


def _view(job: MirrorJob) -> JobView:
    row = getattr(job, "progress", None)
    progress = view(row) if row else NOT_BEGUN
    return JobView(
        job_id=job.id,
        source=job.mapping.source,
        target=job.mapping.target,
        status=job.status,
        attempts=job.attempts,
        available_at=job.available_at,
        error_class=job.error_class,
        error=job.error_message,
        digest=job.mapping.target_digest,
        bytes_total=progress.bytes_total,
        bytes_done=progress.bytes_done,
        bytes_copied=progress.bytes_copied,
        moving=progress.moving if job.status == "running" else (),
    )
