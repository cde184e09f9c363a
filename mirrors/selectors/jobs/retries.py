"""Jobs that are queued again after a failed attempt, by the registry that they failed at; and failed jobs that no later
job of their image has followed."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from django.db.models import Count, F, QuerySet

from mirrors.models import JobStatus, MirrorJob

MOST_HOSTS: Final = 5
"""Registries that are named: where more fail at once, the network is the cause."""


def waiting_retries() -> QuerySet[Any, dict[str, Any]]:
    """The registries and errors with the most jobs that wait for their next attempt, as ``error_host``,
    ``error_class``, ``needs_cluster`` (empty: any worker may try) and ``jobs``."""
    # Greater than nothing: a range of the index by status and error class, which has the few that failed before.
    queued = MirrorJob.objects.filter(status=JobStatus.PENDING, error_class__gt="").exclude(error_host="")
    counts = queued.order_by().values("error_host", "error_class", "needs_cluster").annotate(jobs=Count("pk"))
    return counts.order_by("-jobs", "error_host", "error_class", "needs_cluster")[:MOST_HOSTS]


def unsolved_failures(since: datetime) -> QuerySet[Any, dict[str, Any]]:
    """Failed jobs of that time that are still the last of their image, as ``error_class`` and ``jobs``, the most
    frequent first."""
    failed = MirrorJob.objects.filter(status=JobStatus.FAILED, finished_at__gte=since, mapping__last_job=F("pk"))
    return failed.order_by().values("error_class").annotate(jobs=Count("pk")).order_by("-jobs", "error_class")
