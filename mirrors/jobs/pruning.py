"""Old history goes: by ranges of the primary key, a thousand rows a batch, a few batches a turn."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from auditlog.models import LogEntry
from axes.models import AccessAttempt, AccessFailureLog, AccessLog
from django.db.models import Exists, Model, OuterRef, QuerySet
from django_q.models import Task

from mirrors.accounts.models import CacheEntry
from mirrors.jobs.clock import from_now
from mirrors.jobs.timing import timing
from mirrors.models import BlobLocation, DecisionCount, ImageMapping, ImageUse, MirrorJob

BATCH: Final = 1_000
BATCHES: Final = 10
DAY: Final = 86_400.0


def prune() -> int:
    """Delete what is older than it is kept; at most ``BATCHES`` batches of each kind. Returns rows deleted."""
    return sum(_prune(rows) for rows in _old())


def _old() -> Iterator[QuerySet[Any]]:
    limits = timing()
    # A mapping's last job stays: it is what the mapping's state is read from.
    is_last = Exists(ImageMapping.objects.filter(last_job=OuterRef("pk"), pk=OuterRef("mapping")))
    yield MirrorJob.objects.filter(~is_last, finished_at__lt=from_now(-limits.keep_jobs_days * DAY))
    yield BlobLocation.objects.filter(seen_at__lt=from_now(-limits.keep_blobs_days * DAY))
    yield ImageUse.objects.filter(last_seen_at__lt=from_now(-limits.keep_counts_days * DAY))
    yield DecisionCount.objects.filter(hour__lt=from_now(-limits.keep_counts_days * DAY))
    # django-q2 never deletes failures.
    yield Task.objects.filter(stopped__lt=from_now(-limits.keep_wakeups_days * DAY))
    yield LogEntry.objects.filter(timestamp__lt=from_now(-limits.keep_changes_days * DAY))
    for log in (AccessAttempt, AccessFailureLog, AccessLog):
        yield log.objects.filter(attempt_time__lt=from_now(-limits.keep_log_ins_days * DAY))
    yield CacheEntry.objects.filter(expires__lt=from_now(0))


def _prune(old: QuerySet[Model]) -> int:
    deleted = 0
    for _ in range(BATCHES):
        keys = list(old.order_by("pk").values_list("pk", flat=True)[:BATCH])
        if not keys:
            break
        deleted += old.filter(pk__gte=keys[0], pk__lte=keys[-1]).delete()[0]
        if len(keys) < BATCH:
            break
    return deleted
