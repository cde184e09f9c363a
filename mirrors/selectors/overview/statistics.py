"""The statistics of the dashboard and the API: sums over a few bounded queries that group rows by time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.db.models import Count, Sum, Value
from django.db.models.functions import TruncDay, TruncHour
from django.utils import timezone

from mirrors.models import (
    DecisionCount,
    JobStatus,
    MirrorAttempt,
    MirrorJob,
)
from mirrors.models.jobs.job_errors import known_host
from mirrors.selectors.images.admitted import OF_ADMITTED, Admitted
from mirrors.selectors.jobs import job_queue
from mirrors.selectors.overview import current_state

BY_HOUR = 48
"""The longest series, in hours, that has one point per hour; longer series have one per day."""

COVERAGE_HOURS: Final = (24, 168)
"""Periods, in hours, whose coverage is shown for any range, each with the coverage of the period before."""

FinishedCounts = dict[tuple[datetime, str, str, str], int]
"""The number of finished jobs by hour or day, status, error class and registry."""

COPIED: Final = "copied"
"""A value in place of a status: the number is the bytes that attempts copied."""

Reader = Callable[..., dict[Any, Any]]
"""A function that returns counts since a time, by hour or by day, and optionally of one cluster."""

MOST_TIME_RANGES: Final = 36
"""The most time ranges whose past days are cached: those of the dashboard, for a few time zones and clusters."""

_past_days: dict[tuple[Any, ...], dict[Any, Any]] = {}


@dataclass(frozen=True, slots=True)
class Point:
    """One hour or one day of a series. ``coverage`` is None if no images were counted."""

    at: datetime
    coverage: float | None
    succeeded: int
    failed: int
    bytes_copied: int


class Overview:
    """The statistics of the last hours, read once. With ``cluster``, decisions, processes, readiness and pulls are
    those of that cluster. Images, jobs and registries are shared by all clusters."""

    def __init__(self, *, hours: int, cluster: str = "") -> None:
        self.hours, self.cluster = hours, cluster
        self.now = timezone.now()
        self.since = self.begin_of(hours)
        self.facts = current_state.dashboard_facts(self.now, self.since, cluster)
        is_hourly = hours <= BY_HOUR
        longest = self.since - timedelta(hours=max(0, 2 * max(COVERAGE_HOURS) - hours))
        self._admitted: dict[datetime, Admitted] = self._read(_read_admitted, longest, is_hourly=True, cluster=cluster)
        finished: FinishedCounts = self._read(_read_finished, self.since, is_hourly=is_hourly)
        self._copied = {at: number for (at, status, _, _), number in finished.items() if status == COPIED}
        self._finished = {key: jobs for key, jobs in finished.items() if key[1] != COPIED}

    def begin_of(self, hours: int) -> datetime:
        """Return the start of the last hours, rounded down to a whole minute, so that linked lists start at the same
        time and pages stay unchanged for a while."""
        return (self.now - timedelta(hours=hours)).replace(second=0, microsecond=0)

    def admitted(self, since: datetime, until: datetime | None = None) -> Admitted:
        """Return the sums of the hours that start at or after ``since`` and before ``until``."""
        total = Admitted()
        for hour, sums in self._admitted.items():
            if hour >= since and (until is None or hour < until):
                total = total.plus(sums)
        return total

    def ended(self, status: str) -> dict[str, int]:
        """Return the number of jobs that finished with this status, by error class."""
        counts: Counter[str] = Counter()
        for (_, job_status, error, _), jobs in self._finished.items():
            if job_status == status:
                counts[error] += jobs
        return dict(sorted(counts.items()))

    def failed_by_host(self) -> dict[str, int]:
        """Return the number of failed jobs, by the registry at which they failed."""
        counts: Counter[str] = Counter()
        for (_, status, _, host), jobs in self._finished.items():
            if status == JobStatus.FAILED and host:
                counts[known_host(host)] += jobs
        return dict(sorted(counts.items()))

    @property
    def bytes_copied(self) -> int:
        return sum(self._copied.values())

    def series(self) -> list[Point]:
        """Return the points of the series, the oldest first."""
        is_hourly = self.hours <= BY_HOUR
        sums: dict[datetime, Admitted] = {}
        for hour, counted in self._admitted.items():
            if hour >= self.since:
                at = hour if is_hourly else hour.replace(hour=0)
                sums[at] = sums.get(at, Admitted()).plus(counted)
        jobs: Counter[tuple[datetime, str]] = Counter()
        for (at, status, _, _), count in self._finished.items():
            jobs[at, status] += count
        return [
            Point(
                at=at,
                coverage=sums[at].coverage if at in sums else None,
                succeeded=jobs[at, JobStatus.SUCCEEDED],
                failed=jobs[at, JobStatus.FAILED],
                bytes_copied=self._copied.get(at, 0),
            )
            for at in _times(self.since, self.now, is_hourly=is_hourly)
        ]

    def _read(self, read: Reader, since: datetime, *, is_hourly: bool, **scope: str) -> dict[Any, Any]:
        """Return the counts since a time. Past days are cached until ``since`` moves, after a minute; today is read
        each time."""
        today = max(since, self.now.replace(hour=0, minute=0, second=0, microsecond=0))
        # Jobs of deleted mappings no longer count, so a deletion invalidates the cache.
        key = (read, since, today, is_hourly, self.facts.forgotten, *scope.values())
        if (cached := _past_days.get(key)) is not None:
            return {**cached, **read(today, is_hourly, **scope)}
        counts = read(since, is_hourly, **scope)
        if len(_past_days) >= MOST_TIME_RANGES:
            _past_days.clear()
        _past_days[key] = {at: counted for at, counted in counts.items() if _time_of(at) < today}
        return counts


def _read_admitted(since: datetime, is_hourly: bool, cluster: str) -> dict[datetime, Admitted]:
    conditions = {"hour__gte": since, **({"cluster": cluster} if cluster else {})}
    rows = DecisionCount.objects.filter(**conditions).order_by().values_list("hour")
    sums = {name: Sum("images", filter=condition) for name, condition in OF_ADMITTED.items()}
    return {hour: Admitted(*(images or 0 for images in image_counts)) for hour, *image_counts in rows.annotate(**sums)}


def _read_finished(since: datetime, is_hourly: bool) -> FinishedCounts:
    finished_jobs = MirrorJob.objects.filter(finished_at__gte=since).order_by().annotate(at=_trunc(is_hourly))
    counted = finished_jobs.values_list("at", "status", "error_class", "error_host").annotate(n=Count("*"))
    attempts = MirrorAttempt.objects.filter(finished_at__gte=since).order_by().annotate(at=_trunc(is_hourly))
    constants = {"kind": Value(COPIED), "no_error": Value(""), "no_host": Value("")}
    copied = attempts.annotate(**constants).values_list("at", *constants).annotate(n=Sum("bytes_copied"))
    # Two short queries are combined into one, because the page is refreshed often.
    return {(at, status, error, host): int(n or 0) for at, status, error, host, n in counted.union(copied, all=True)}


def forget() -> None:
    """Clear the cache of past days."""
    _past_days.clear()


def _time_of(key: Any) -> datetime:
    at: datetime = key[0] if isinstance(key, tuple) else key
    return at


def _trunc(is_hourly: bool) -> TruncHour | TruncDay:
    return TruncHour("finished_at") if is_hourly else TruncDay("finished_at")


def numbers(overview: Overview) -> dict[str, Any]:
    """Return all statistics of the dashboard and the API, except the series."""
    admitted = overview.admitted(overview.since)
    queue = job_queue.queue()
    processes = current_state.running_processes(overview.now, overview.cluster)
    return {
        "hours": overview.hours,
        "images_admitted": admitted.counted,
        "images_from_mirror": admitted.mirrored,
        "images_first_seen": admitted.first_seen,
        "images_excluded": admitted.excluded,
        "coverage": admitted.coverage,
        "coverages": [_coverage(overview, hours) for hours in COVERAGE_HOURS],
        "jobs": {"pending": sum(line.waiting for line in queue), "running": sum(line.running for line in queue)},
        "queue": [
            {
                "priority": line.priority,
                "name": line.name,
                "waiting": line.waiting,
                "running": line.running,
                "oldest_due_at": line.oldest_due_at,
                "next_attempt_at": line.next_attempt_at,
            }
            for line in queue
        ],
        "succeeded": sum(overview.ended(JobStatus.SUCCEEDED).values()),
        "failed": overview.ended(JobStatus.FAILED),
        "failed_by_host": overview.failed_by_host(),
        "bytes_copied": overview.bytes_copied,
        **current_state.hosts(overview.now),
        **processes,
    }


def _coverage(overview: Overview, hours: int) -> dict[str, Any]:
    """Return the coverage of the last hours, and of the period of the same length before."""
    since = overview.begin_of(hours)
    before = overview.admitted(since - timedelta(hours=hours), since)
    return {"hours": hours, "coverage": overview.admitted(since).coverage, "before": before.coverage}


def _times(since: datetime, now: datetime, *, is_hourly: bool) -> Iterable[datetime]:
    at = since.replace(minute=0, second=0, microsecond=0)
    step = timedelta(hours=1) if is_hourly else timedelta(days=1)
    at = at if is_hourly else at.replace(hour=0)
    while at <= now:
        yield at
        at += step
