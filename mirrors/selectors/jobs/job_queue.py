"""The queue by priority: how many jobs wait and run, and since when the oldest of them could start; and the status of
jobs that somebody waits for."""

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
    """Live jobs of one priority. ``starts_at`` is the earliest time at which a queued one may start, of those that wait
    for no rate limit and for no other cluster's workers; None without such jobs. ``now`` is the database's time."""

    priority: int
    name: str
    waiting: int
    running: int
    starts_at: datetime | None
    now: datetime | None

    @property
    def oldest_due_at(self) -> datetime | None:
        """When the job that has waited the longest for a worker became due."""
        return self.starts_at if self.oldest_due_seconds else None

    @property
    def oldest_due_seconds(self) -> float:
        waited = (self.now - self.starts_at).total_seconds() if self.now and self.starts_at else 0.0
        return max(0.0, waited)

    @property
    def next_attempt_at(self) -> datetime | None:
        """Where no job is due, when the first one will be. None where all wait for a rate limit or another cluster."""
        return None if self.oldest_due_seconds else self.starts_at


def queue() -> list[QueueLine]:
    """The queue, in the order of priority. Finished jobs are not counted: most rows are."""
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
    """Status by job id, for those who wait for a copy."""
    return dict(MirrorJob.objects.filter(id__in=job_ids).values_list("id", "status"))
