"""Deletes old history, the oldest first, in small batches, a few a turn, so that a turn is short."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from auditlog.models import LogEntry
from axes.models import AccessAttempt, AccessFailureLog, AccessLog
from django.db.models import Exists, Model, OuterRef, Q, QuerySet
from django_q.models import Task

from mirrors.accounts.models import CacheEntry
from mirrors.jobs.timing import from_now, timing
from mirrors.models import (
    AdmissionSample,
    BackfillImage,
    BackfillRun,
    BlobLocation,
    BudgetShare,
    Cluster,
    ClusterNode,
    DecisionCount,
    HostBudget,
    ImageMapping,
    ImageUse,
    Instance,
    MirrorJob,
    OperatorAction,
    PullFailure,
    RegistryCheck,
    RunningImage,
    WorkLease,
)

ROWS_PER_DELETE: Final = 500
"""Rows that one statement deletes, so that it holds its locks for milliseconds."""

BATCHES: Final = 4
"""Batches of each kind in a turn: with a turn a minute, 2,000 rows a minute."""

DAY: Final = 86_400.0
"""Seconds."""

MINUTE: Final = 60.0
"""Seconds."""


def prune() -> int:
    """Delete what is older than it is kept; at most ``BATCHES`` batches of each kind. Returns rows deleted."""
    return sum(_prune(rows) for rows in _old())


def _old() -> Iterator[QuerySet[Any]]:
    """In the order of the index that finds them."""
    limits = timing()
    # A mapping's last job stays: it is what the mapping's state is read from.
    is_last = Exists(ImageMapping.objects.filter(last_job=OuterRef("pk"), pk=OuterRef("mapping")))
    yield _before(MirrorJob.objects.filter(~is_last), "finished_at", limits.keep_jobs_days)
    # Its images first: a run may have thousands.
    yield _before(BackfillImage.objects.all(), "run__finished_at", limits.keep_jobs_days)
    yield _before(BackfillRun.objects.filter(candidates=None), "finished_at", limits.keep_jobs_days)
    yield _before(BlobLocation.objects.all(), "seen_at", limits.keep_blobs_days)
    yield _before(ImageUse.objects.all(), "last_seen_at", limits.keep_counts_days)
    yield _before(DecisionCount.objects.all(), "hour", limits.keep_counts_days)
    yield _before(AdmissionSample.objects.all(), "created_at", limits.keep_samples_days)
    yield _before(OperatorAction.objects.all(), "created_at", limits.keep_actions_days)
    yield _before(Instance.objects.all(), "seen_at", limits.keep_instances_days)
    # What the last test of a registry found is shown until there is a newer one.
    newer = Exists(RegistryCheck.objects.filter(registry=OuterRef("registry"), pk__gt=OuterRef("pk")))
    yield _before(RegistryCheck.objects.filter(newer), "created_at", limits.keep_checks_days)
    # django-q2 never deletes failures.
    yield _before(Task.objects.all(), "stopped", limits.keep_wakeups_days)
    yield _before(LogEntry.objects.all(), "timestamp", limits.keep_changes_days)
    for log in (AccessAttempt, AccessFailureLog, AccessLog):
        yield _before(log.objects.all(), "attempt_time", limits.keep_log_ins_days)
    yield _before(CacheEntry.objects.all(), "expires", 0)
    yield BudgetShare.objects.filter(expires_at__lt=from_now(-MINUTE)).order_by("pk")
    # A process that was killed gives nothing back.
    yield WorkLease.objects.filter(expires_at__lt=from_now(-DAY)).order_by("pk")
    yield _before(PullFailure.objects.all(), "last_seen_at", limits.keep_failures_days)
    yield from _unwatched(limits.keep_clusters_days)
    yield _unlimited_hosts()


def _unwatched(days: float) -> Iterator[QuerySet[Any]]:
    """Clusters that nobody watches any more, after what ran in them."""
    unwatched = _before(Cluster.objects.all(), "seen_at", days)
    for kind in (RunningImage, ClusterNode):
        yield kind.objects.filter(cluster__in=unwatched.order_by().values("name")).order_by("pk")
    images = RunningImage.objects.filter(cluster=OuterRef("name"))
    yield unwatched.filter(~Exists(images))


def _unlimited_hosts() -> QuerySet[Any]:
    """Hosts whose rate limit has ended and that no job waits for; what they say is left of their pulls, and
    what all workers may send, is shown for a day."""
    unlimited = HostBudget.objects.exclude(pk__in=HostBudget.objects.rate_limited().values("pk"))
    for busy in (HostBudget.objects.limited_for_low_priority(), HostBudget.objects.briefly_limited()):
        unlimited = unlimited.exclude(pk__in=busy.values("pk"))
    unlimited = unlimited.exclude(Exists(BudgetShare.objects.filter(budget=OuterRef("pk"))))
    is_old = Q(updated_at__lt=from_now(-DAY))
    unheard = unlimited.filter(is_old | Q(remaining__isnull=True, per_second__isnull=True))
    live = MirrorJob.objects.live()
    waits = Exists(live.filter(source_host=OuterRef("host"))), Exists(live.filter(target_host=OuterRef("host")))
    is_over = Q(resting_until__isnull=True) | (~Q(waits[0]) & ~Q(waits[1]))
    return unheard.filter(is_over).order_by("pk")


def _before(rows: QuerySet[Any], field: str, days: float) -> QuerySet[Any]:
    return rows.filter(**{f"{field}__lt": from_now(-days * DAY)}).order_by(field)


def _prune(old: QuerySet[Model]) -> int:
    deleted = 0
    for _ in range(BATCHES):
        keys = list(old.values_list("pk", flat=True)[:ROWS_PER_DELETE])
        # Asked once more with the keys: what is seen again meanwhile stays.
        deleted += old.filter(pk__in=keys).order_by().delete()[0] if keys else 0
        if len(keys) < ROWS_PER_DELETE:
            break
    return deleted
