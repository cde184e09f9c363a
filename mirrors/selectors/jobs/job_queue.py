"""The queue by priority: how many jobs wait and run, and since when the oldest of them could start."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db import models
from django.db.models import Min, Q
from django.db.models.functions import Now

from mirrors.models import JobStatus, MirrorJob, Priority


@dataclass(frozen=True, slots=True)
class QueueLine:
    """Live jobs of one priority. The oldest due one has been waiting since ``oldest_due_at``, for so many seconds."""

    priority: int
    name: str
    waiting: int
    running: int
    oldest_due_at: datetime | None
    oldest_due_seconds: float


def queue() -> list[QueueLine]:
    """The queue, in the order of priority. Jobs that are over are never counted: they are the many."""
    live = MirrorJob.objects.live().order_by().values_list("status", "priority")
    oldest = Min("available_at", filter=Q(status=JobStatus.PENDING, available_at__lte=Now()))
    counts: dict[tuple[str, int], int] = {}
    waits: dict[int, tuple[datetime | None, float]] = {p.value: (None, 0.0) for p in Priority}
    for status, priority, jobs, since, now in live.annotate(jobs=models.Count("pk"), since=oldest, now=Now()):
        counts[status, priority] = jobs
        if since is not None:
            waits[priority] = since, max(0.0, (now - since).total_seconds())
    return [
        QueueLine(
            priority=p.value,
            name=p.name.lower(),
            waiting=counts.get((JobStatus.PENDING, p.value), 0),
            running=counts.get((JobStatus.RUNNING, p.value), 0),
            oldest_due_at=waits[p.value][0],
            oldest_due_seconds=waits[p.value][1],
        )
        for p in Priority
    ]
