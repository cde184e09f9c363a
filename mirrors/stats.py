"""The numbers of dashboard and API: each of them one bounded query."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Q, Sum
from django.db.models.functions import TruncDay, TruncHour
from django.utils import timezone

from mirrors import selectors
from mirrors.models import DecisionCount, HostBudget, JobStatus, MirrorAttempt, MirrorJob

NOT_COUNTED = ("filtered", "filter-budget", "opted-out", "unchanged", "placeholder", "invalid-reference")
"""Reasons of images that nobody wants mirrored; coverage is the share of the others."""

MIRRORED = Q(decision="swap") | Q(reason="already-at-target")
BY_HOUR = 48
"""Hours up to which a series has a point an hour; longer ones have one a day."""


@dataclass(frozen=True, slots=True)
class Point:
    """One hour, or one day, of a series. ``coverage`` is None where nothing was admitted."""

    at: datetime
    coverage: float | None
    succeeded: int
    failed: int
    bytes_copied: int


def stats(*, hours: int) -> dict[str, Any]:
    """All numbers for the last hours."""
    since = timezone.now() - timedelta(hours=hours)
    admitted, from_mirror = coverage(since)
    ended = MirrorJob.objects.filter(finished_at__gte=since).order_by().values_list("status", "error_class")
    jobs = {(status, error): n for status, error, n in ended.annotate(jobs=Count("*"))}
    attempts = MirrorAttempt.objects.filter(finished_at__gte=since)
    resting = HostBudget.objects.filter(resting_until__gt=timezone.now())
    return {
        "hours": hours,
        "images_admitted": admitted,
        "images_from_mirror": from_mirror,
        "coverage": from_mirror / admitted if admitted else None,
        "jobs": selectors.live_jobs(),
        "oldest_due_seconds": selectors.oldest_due_jobs(),
        "succeeded": sum(n for (status, _), n in jobs.items() if status == JobStatus.SUCCEEDED),
        "failed": {error: n for (status, error), n in jobs.items() if status == JobStatus.FAILED},
        "bytes_copied": attempts.aggregate(n=Sum("bytes_copied"))["n"] or 0,
        "resting_hosts": dict(resting.values_list("host", "resting_until")),
    }


def coverage(since: datetime) -> tuple[int, int]:
    """Images admitted since then that somebody wants mirrored, and how many of them run from the mirror."""
    counted = DecisionCount.objects.filter(hour__gte=since).exclude(reason__in=NOT_COUNTED)
    sums = counted.aggregate(all=Sum("images"), mirrored=Sum("images", filter=MIRRORED))
    return sums["all"] or 0, sums["mirrored"] or 0


def series(*, hours: int) -> list[Point]:
    """The same over time, the oldest point first."""
    now = timezone.now()
    since = now - timedelta(hours=hours)
    is_hourly = hours <= BY_HOUR
    trunc = TruncHour if is_hourly else TruncDay
    counted = DecisionCount.objects.filter(hour__gte=since).exclude(reason__in=NOT_COUNTED).order_by()
    admitted = counted.annotate(at=trunc("hour")).values_list("at")
    sums = {at: n for at, *n in admitted.annotate(n=Sum("images"), ours=Sum("images", filter=MIRRORED))}
    jobs = MirrorJob.objects.filter(finished_at__gte=since).order_by().annotate(at=trunc("finished_at"))
    ended = {(at, status): n for at, status, n in jobs.values_list("at", "status").annotate(n=Count("*"))}
    attempts = MirrorAttempt.objects.filter(finished_at__gte=since).order_by().annotate(at=trunc("finished_at"))
    copied = dict(attempts.values_list("at").annotate(n=Sum("bytes_copied")))
    return [
        Point(
            at=at,
            coverage=(sums[at][1] or 0) / sums[at][0] if at in sums and sums[at][0] else None,
            succeeded=ended.get((at, JobStatus.SUCCEEDED), 0),
            failed=ended.get((at, JobStatus.FAILED), 0),
            bytes_copied=copied.get(at) or 0,
        )
        for at in _times(since, now, is_hourly=is_hourly)
    ]


def running_copies(limit: int = 10) -> Iterable[MirrorJob]:
    """Running jobs with their progress, the longest first."""
    running = MirrorJob.objects.filter(status=JobStatus.RUNNING).select_related("mapping", "progress")
    return running.order_by("id")[:limit]


def _times(since: datetime, now: datetime, *, is_hourly: bool) -> Iterable[datetime]:
    at = since.replace(minute=0, second=0, microsecond=0)
    step = timedelta(hours=1) if is_hourly else timedelta(days=1)
    at = at if is_hourly else at.replace(hour=0)
    while at <= now:
        yield at
        at += step
