"""Deletes old history, the oldest rows first, in a few small batches per turn, so that a turn is short."""

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
"""The maximum number of rows that one statement deletes, so that it holds its locks only for milliseconds."""

BATCHES: Final = 4
"""The maximum number of batches of each kind per turn. With one turn a minute, that is 2,000 rows a minute."""

DAY: Final = 86_400.0
"""Seconds."""

MINUTE: Final = 60.0
"""Seconds."""


def prune() -> int:
    """Delete rows whose retention period has ended, at most ``BATCHES`` batches of each kind. Returns the number of
    deleted rows."""
    return sum(_prune(rows) for rows in _expired_rows())


def _expired_rows() -> Iterator[QuerySet[Any]]:
    """Yield the rows to delete of each kind, ordered as the index that finds them."""
    limits = timing()
    # A mapping's last job is kept, because the mapping's state is derived from it.
    is_last = Exists(ImageMapping.objects.filter(last_job=OuterRef("pk"), pk=OuterRef("mapping")))
    yield _older_than(MirrorJob.objects.filter(~is_last), "finished_at", limits.keep_jobs_days)
    # The images of a run are deleted before the run, because there can be thousands.
    yield _older_than(BackfillImage.objects.all(), "run__finished_at", limits.keep_jobs_days)
    yield _older_than(BackfillRun.objects.filter(candidates=None), "finished_at", limits.keep_jobs_days)
    yield _older_than(BlobLocation.objects.all(), "seen_at", limits.keep_blobs_days)
    yield _older_than(ImageUse.objects.all(), "last_seen_at", limits.keep_counts_days)
    yield _older_than(DecisionCount.objects.all(), "hour", limits.keep_counts_days)
    yield _older_than(AdmissionSample.objects.all(), "created_at", limits.keep_samples_days)
    yield _older_than(OperatorAction.objects.all(), "created_at", limits.keep_actions_days)
    yield _older_than(Instance.objects.all(), "seen_at", limits.keep_instances_days)
    # The last test of each registry is kept, because its result is shown until there is a newer test.
    newer = Exists(RegistryCheck.objects.filter(registry=OuterRef("registry"), pk__gt=OuterRef("pk")))
    yield _older_than(RegistryCheck.objects.filter(newer), "created_at", limits.keep_checks_days)
    # django-q2 never deletes failures.
    yield _older_than(Task.objects.all(), "stopped", limits.keep_wakeups_days)
    yield _older_than(LogEntry.objects.all(), "timestamp", limits.keep_changes_days)
    for log in (AccessAttempt, AccessFailureLog, AccessLog):
        yield _older_than(log.objects.all(), "attempt_time", limits.keep_sign_ins_days)
    yield _older_than(CacheEntry.objects.all(), "expires", 0)
    yield BudgetShare.objects.filter(expires_at__lt=from_now(-MINUTE)).order_by("pk")
    # A process that was killed does not release its leases.
    yield WorkLease.objects.filter(expires_at__lt=from_now(-DAY)).order_by("pk")
    yield _older_than(PullFailure.objects.all(), "last_seen_at", limits.keep_failures_days)
    yield from _unwatched(limits.keep_clusters_days)
    yield _unlimited_hosts()


def _unwatched(days: float) -> Iterator[QuerySet[Any]]:
    """Yield the running images and nodes of clusters without a watcher, then those clusters."""
    unwatched = _older_than(Cluster.objects.all(), "seen_at", days)
    for kind in (RunningImage, ClusterNode):
        yield kind.objects.filter(cluster__in=unwatched.order_by().values("name")).order_by("pk")
    images = RunningImage.objects.filter(cluster=OuterRef("name"))
    yield unwatched.filter(~Exists(images))


def _unlimited_hosts() -> QuerySet[Any]:
    """Return the rows of hosts whose rate limit has ended and that no job waits for. Rows with remaining pulls or a
    request limit are kept for a day, because they are shown."""
    unlimited = HostBudget.objects.exclude(pk__in=HostBudget.objects.rate_limited().values("pk"))
    for busy in (HostBudget.objects.limited_for_low_priority(), HostBudget.objects.briefly_limited()):
        unlimited = unlimited.exclude(pk__in=busy.values("pk"))
    unlimited = unlimited.exclude(Exists(BudgetShare.objects.filter(budget=OuterRef("pk"))))
    is_old = Q(updated_at__lt=from_now(-DAY))
    unshown = unlimited.filter(is_old | Q(remaining__isnull=True, per_second__isnull=True))
    live = MirrorJob.objects.live()
    job_conditions = (
        Exists(live.filter(source_host=OuterRef("host"))),
        Exists(live.filter(target_host=OuterRef("host"))),
    )
    is_over = Q(resting_until__isnull=True) | (~Q(job_conditions[0]) & ~Q(job_conditions[1]))
    return unshown.filter(is_over).order_by("pk")


def _older_than(rows: QuerySet[Any], field: str, days: float) -> QuerySet[Any]:
    return rows.filter(**{f"{field}__lt": from_now(-days * DAY)}).order_by(field)


def _prune(old: QuerySet[Model]) -> int:
    deleted = 0
    for _ in range(BATCHES):
        keys = list(old.values_list("pk", flat=True)[:ROWS_PER_DELETE])
        # Apply the condition again, so that rows are kept that were updated since their keys were read.
        deleted += old.filter(pk__in=keys).order_by().delete()[0] if keys else 0
        if len(keys) < ROWS_PER_DELETE:
            break
    return deleted
