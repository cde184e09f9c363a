"""Leases: the right to run a job, fenced by a token and the database's clock; their renewal and their end.

Each update of a running job filters by the token of its lease. If it matches no row, the lease is lost: another worker
or the reconciler has changed the job.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now
from django.utils import timezone

from mirrors.jobs.timing import from_now, timing
from mirrors.models import (
    DEFAULT_CLUSTER,
    AttemptOutcome,
    ErrorClass,
    ImageMapping,
    JobStatus,
    MirrorAttempt,
    MirrorJob,
)
from mirrors.models.images.mappings import recorded
from mirrors.selectors.queries.fixed_query import update_rows
from mirrors.services.jobs.wakeup import wake_workers
from mirrors.vocabulary.bounds import LONGEST_PAUSE
from swapper_project.process.monitoring import metrics

LOST_MESSAGE = "The worker that copied this image stopped without releasing it; another worker continues the job."


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to run a job. ``number`` is the number of claims of the job so far; ``attempts`` excludes the claims
    that do not count against ``max_attempts``."""

    job_id: int
    mapping_id: int
    token: uuid.UUID
    number: int
    attempts: int
    max_attempts: int
    cluster: str = DEFAULT_CLUSTER
    """The cluster of ``namespace``."""
    namespace: str = ""
    source_host: str = ""
    may_wait: bool = True
    """Whether waiting for a rate limited host still does not count as an attempt."""
    probes: tuple[str, ...] = ()
    """Hosts whose rate limit has ended. Only this job sends them requests until they have responded."""
    worker_cluster: str = DEFAULT_CLUSTER
    """The cluster of the worker, which reads the pull secrets of only this cluster."""

    @property
    def is_last_attempt(self) -> bool:
        return self.attempts >= self.max_attempts


@dataclass(frozen=True, slots=True)
class AttemptReport:
    """The report of an attempt. ``error`` is for operators and contains no secrets. ``referrers`` is a
    ``ReferrersStatus``, set only for a job that succeeds."""

    error_class: str = ErrorClass.NONE
    error: str = ""
    error_host: str = ""
    error_says_step: bool = False
    bytes_copied: int = 0
    log: str = ""
    referrers: str = ""
    referrers_error: str = ""


def take_over(job_id: int, update: Callable[[], int]) -> bool:
    """Call ``update`` for a job whose worker may have stopped without releasing it, and record that worker's attempt as
    lost. Must run in a transaction. ``update`` changes the job only if it is unchanged since it was read, and returns
    the number of changed rows. Returns False, and changes nothing, if that is 0."""
    if not update():
        return False
    _lose_attempts(job_id)
    return True


def _lose_attempts(job_id: int) -> None:
    lost = MirrorAttempt.objects.filter(job_id=job_id, outcome=AttemptOutcome.RUNNING).update(
        outcome=AttemptOutcome.LOST, finished_at=Now(), error_class=ErrorClass.WORKER_LOST, error=LOST_MESSAGE
    )
    _count(AttemptOutcome.LOST, ErrorClass.WORKER_LOST, lost)


def renew(leases: Iterable[Lease]) -> dict[uuid.UUID, bool]:
    """Extend these leases (the heartbeat). Returns the leases that are still held, by token, each with whether the
    cancellation of its job was requested."""
    tokens = [lease.token for lease in leases]
    held = MirrorJob.objects.filter(status=JobStatus.RUNNING, lease_token__in=tokens)
    held.update(lease_expires_at=from_now(timing().lease))
    rows = held.values_list("lease_token", "cancel_requested_at")
    return {token: cancel_requested_at is not None for token, cancel_requested_at in rows if token is not None}


def succeed(lease: Lease, report: AttemptReport, **mapping: Any) -> bool:
    """Mark the job as succeeded, and update its mapping. Returns False, and changes nothing, if the lease is lost."""
    return _end(lease, JobStatus.SUCCEEDED, AttemptOutcome.SUCCEEDED, report, mapping)


def fail(lease: Lease, report: AttemptReport, **mapping: Any) -> bool:
    """Mark the job as failed permanently, and update its mapping. Returns False if the lease is lost."""
    return _end(lease, JobStatus.FAILED, AttemptOutcome.FAILED, report, mapping)


def cancel(lease: Lease, report: AttemptReport) -> bool:
    """Mark the job as cancelled, and keep its message, which names the user. Returns False if the lease is lost."""
    return _end(lease, JobStatus.CANCELLED, AttemptOutcome.CANCELLED, report, {})


def reschedule(lease: Lease, report: AttemptReport, *, delay: float, is_counted: bool = True) -> bool:
    """Set the job back to pending for another attempt in ``delay`` seconds, and schedule a wake-up for that time.
    ``is_counted`` is whether this attempt counts against the maximum. Returns False if the lease is lost."""
    fields = _error_of(report) | {"available_at": from_now(min(delay, LONGEST_PAUSE))}
    if not is_counted:
        fields["attempts"] = F("attempts") - 1
    with transaction.atomic(savepoint=False):
        if not _release(lease, AttemptOutcome.FAILED, report, **fields):
            return False
        available_at = MirrorJob.objects.values_list("available_at", flat=True).get(id=lease.job_id)
        wake_workers(not_before=available_at)
    return True


def release(lease: Lease, report: AttemptReport) -> bool:
    """Set the job back to pending. The attempt does not count against the maximum. Returns False if the lease is
    lost."""
    with transaction.atomic(savepoint=False):
        if not _release(lease, AttemptOutcome.HANDED_BACK, report, available_at=Now(), attempts=F("attempts") - 1):
            return False
        wake_soon()
    return True


def hand_over(lease: Lease, report: AttemptReport, *, cluster: str) -> bool:
    """Set the job back to pending, only for the workers of another cluster. The attempt does not count against the
    maximum. Returns False if the lease is lost."""
    tried = MirrorJob.objects.filter(id=lease.job_id).values_list("tried_clusters", flat=True).first() or ""
    fields = _error_of(report) | {
        "needs_cluster": cluster,
        "tried_clusters": ",".join(filter(None, (tried, lease.worker_cluster))),
    }
    with transaction.atomic(savepoint=False):
        uncounted = {"available_at": Now(), "attempts": F("attempts") - 1}
        if not _release(lease, AttemptOutcome.HANDED_BACK, report, **uncounted, **fields):
            return False
        wake_soon()
    return True


def wake_soon() -> None:
    """Schedule a wake-up in one second: an immediate one could be dequeued by this cluster, which may be stopping."""
    wake_workers(not_before=timezone.now() + timedelta(seconds=1))


def _end(lease: Lease, status: str, outcome: str, report: AttemptReport, mapping: dict[str, Any]) -> bool:
    with transaction.atomic(savepoint=False):
        fields = {} if status == JobStatus.CANCELLED else _error_of(report)
        if status == JobStatus.SUCCEEDED:
            fields |= {"referrers": report.referrers, "referrers_error": report.referrers_error}
        if not _update(lease, status=status, finished_at=Now(), **fields):
            return False
        _record_attempt(lease, outcome, report)
        update_rows(ImageMapping, {"id": lease.mapping_id}, recorded(mapping))
    return True


def _release(lease: Lease, outcome: str, report: AttemptReport, **fields: Any) -> bool:
    """Set the job back to pending, or cancel it if its cancellation was requested in the meantime."""
    cancelled = MirrorJob.objects.filter(id=lease.job_id, cancel_requested_at__isnull=False)
    if cancelled.exists():
        return cancel(lease, report)
    if not _update(lease, status=JobStatus.PENDING, **fields):
        return False
    _record_attempt(lease, outcome, report)
    return True


def _update(lease: Lease, **fields: Any) -> bool:
    held = {"id": lease.job_id, "status": JobStatus.RUNNING, "lease_token": lease.token}
    return bool(update_rows(MirrorJob, held, {"lease_token": None, "lease_expires_at": None, **fields}))


def _record_attempt(lease: Lease, outcome: str, report: AttemptReport) -> None:
    result = {
        "outcome": outcome,
        "finished_at": Now(),
        "error_class": report.error_class,
        "error": report.error,
        "bytes_copied": report.bytes_copied,
        "log": report.log,
    }
    update_rows(MirrorAttempt, {"job_id": lease.job_id, "number": lease.number}, result)
    _count(outcome, report.error_class)


def _count(outcome: str, error_class: str, attempts: int = 1) -> None:
    """Count the attempts in the metrics after the commit, because a transaction that is rolled back is retried."""
    if attempts:
        transaction.on_commit(lambda: metrics.JOB_ATTEMPTS.labels(outcome, error_class or "none").inc(attempts))


def _error_of(report: AttemptReport) -> dict[str, Any]:
    return {
        "error_class": report.error_class,
        "error_message": report.error,
        "error_host": report.error_host[:260],
        "error_says_step": report.error_says_step,
    }
