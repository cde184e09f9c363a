"""The numbers of dashboard and API: each of them one bounded query."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Q, Sum
from django.utils import timezone

from mirrors import selectors
from mirrors.models import DecisionCount, HostBudget, JobStatus, MirrorAttempt, MirrorJob

NOT_COUNTED = ("filtered", "filter-budget", "opted-out", "unchanged", "placeholder", "invalid-reference")
"""Reasons of images that nobody wants mirrored; coverage is the share of the others."""


def stats(*, hours: int) -> dict[str, Any]:
    """All numbers for the last hours."""
    since = timezone.now() - timedelta(hours=hours)
    admitted, from_mirror = coverage(since)
    ended = MirrorJob.objects.filter(finished_at__gte=since).order_by()
    failed = ended.filter(status=JobStatus.FAILED).values_list("error_class").annotate(jobs=Count("pk"))
    attempts = MirrorAttempt.objects.filter(finished_at__gte=since)
    resting = HostBudget.objects.filter(resting_until__gt=timezone.now())
    return {
        "hours": hours,
        "images_admitted": admitted,
        "images_from_mirror": from_mirror,
        "coverage": from_mirror / admitted if admitted else None,
        "jobs": selectors.live_jobs(),
        "oldest_due_seconds": selectors.oldest_due_jobs(),
        "succeeded": ended.filter(status=JobStatus.SUCCEEDED).count(),
        "failed": dict(failed),
        "bytes_copied": attempts.aggregate(n=Sum("bytes_copied"))["n"] or 0,
        "resting_hosts": dict(resting.values_list("host", "resting_until")),
    }


def coverage(since: datetime) -> tuple[int, int]:
    """Images admitted since then that somebody wants mirrored, and how many of them run from the mirror."""
    counted = DecisionCount.objects.filter(hour__gte=since).exclude(reason__in=NOT_COUNTED)
    mirrored = Q(decision="swap") | Q(reason="already-at-target")
    sums = counted.aggregate(all=Sum("images"), mirrored=Sum("images", filter=mirrored))
    return sums["all"] or 0, sums["mirrored"] or 0
