"""Jobs that wait for their next attempt, by the registry at which they failed, and failed jobs that are still the last
job of their image."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import Count, F, QuerySet

from mirrors.models import JobStatus, MirrorJob


def waiting_retries() -> QuerySet[Any, dict[str, Any]]:
    """Return the registries and errors of jobs that wait for their next attempt, as ``error_host``, ``error_class``,
    ``needs_cluster`` (empty: any worker can run the job) and ``jobs``, the most frequent first."""
    # The condition on error_class is a range of the index by status and error class, and selects only the few jobs that
    # failed before.
    queued = MirrorJob.objects.filter(status=JobStatus.PENDING, error_class__gt="").exclude(error_host="")
    counts = queued.order_by().values("error_host", "error_class", "needs_cluster").annotate(jobs=Count("pk"))
    return counts.order_by("-jobs", "error_host", "error_class", "needs_cluster")


def unsolved_failures(since: datetime) -> QuerySet[Any, dict[str, Any]]:
    """Return the number of jobs that failed since a time and are still the last job of their image, as ``error_class``
    and ``jobs``, the most frequent first."""
    failed = MirrorJob.objects.filter(status=JobStatus.FAILED, finished_at__gte=since, mapping__last_job=F("pk"))
    return failed.order_by().values("error_class").annotate(jobs=Count("pk")).order_by("-jobs", "error_class")
