"""The queue by priority: the number of queued and running jobs, and when the oldest queued job became due. Also the
status of jobs that a caller waits for."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from django.db import models
from django.db.models import Min, Q
from django.db.models.functions import Now

from mirrors.models import JobStatus, MirrorJob, Priority
from mirrors.selectors.jobs import free_hosts


@dataclass(frozen=True, slots=True)
class QueueLine:
    """The active jobs of one priority. ``starts_at`` is the earliest time at which a queued job can start, of the jobs
    that wait neither for a rate limit nor for the workers of a certain cluster; None if there are no such jobs. ``now``
    is the time of the database."""

    priority: int
    name: str
    waiting: int
    running: int
    starts_at: datetime | None
    now: datetime | None

    @property
    def oldest_due_at(self) -> datetime | None:
        """The time at which the job that has waited longest for a worker became due; None if no job is due."""
        return self.starts_at if self.oldest_due_seconds else None

    @property
    def oldest_due_seconds(self) -> float:
        waited = (self.now - self.starts_at).total_seconds() if self.now and self.starts_at else 0.0
        return max(0.0, waited)

    @property
    def next_attempt_at(self) -> datetime | None:
        """The time at which the first job becomes due; None if a job is due now, or if all wait for a rate limit or for
        the workers of a certain cluster."""
        return None if self.oldest_due_seconds else self.starts_at


def queue() -> list[QueueLine]:
    """Return the queue in the order of priority. Finished jobs, which are most of the rows, are not counted."""
    live = MirrorJob.objects.live().order_by().values_list("status", "priority")
    earliest = Min("available_at", filter=Q(status=JobStatus.PENDING, needs_cluster="") & free_hosts.free())
    counts: dict[tuple[str, int], int] = {}
    times: dict[int, tuple[datetime | None, datetime | None]] = {}
    for status, priority, jobs, starts_at, now in live.annotate(jobs=models.Count("pk"), first=earliest, now=Now()):
        counts[status, priority] = jobs
        if status == JobStatus.PENDING:
            times[priority] = starts_at, now
    return [
        QueueLine(
            p.value,
            p.name.lower(),
            counts.get((JobStatus.PENDING, p.value), 0),
            counts.get((JobStatus.RUNNING, p.value), 0),
            *times.get(p.value, (None, None)),
        )
        for p in Priority
    ]


def job_states(job_ids: Collection[int]) -> dict[int, str]:
    """Return the status by job ID, for callers that wait for a copy."""
    return dict(MirrorJob.objects.filter(id__in=job_ids).values_list("id", "status"))
