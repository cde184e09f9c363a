"""Jobs that are queued again after a failed attempt, by the registry that they failed at."""

from __future__ import annotations

from typing import Any, Final

from django.db.models import Count, QuerySet

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
