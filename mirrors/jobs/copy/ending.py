"""The ending of an attempt, as one value: all updates of its job, its image and the hosts, in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

import structlog
from django.db import DataError, IntegrityError, transaction

from mirrors.jobs.context.worker_context import Stop
from mirrors.jobs.copy.attempt_log import Attempt
from mirrors.jobs.copy.copy_outcome import CopyOutcome
from mirrors.jobs.copy.failures import Failure, delay_after, is_postponed
from mirrors.jobs.copy.other_clusters import OtherClusterError
from mirrors.jobs.limits import host_limits
from mirrors.jobs.queue import leases
from mirrors.jobs.queue.database_outage import retry_while_database_is_down
from mirrors.jobs.queue.leases import AttemptReport, Lease
from mirrors.models import Access, AttemptOutcome, ErrorClass, ImageMapping, Obstacle
from mirrors.services import record_grants
from swapper_project.process.monitoring import metrics

log = structlog.get_logger(__name__)

REFUSED_WRITES: Final = (DataError, IntegrityError, ValueError, OverflowError)
"""Errors of the database, or its driver, for a value that cannot be stored: another attempt would end the same way."""

NOT_STORABLE: Final = (
    "The database refused to store the result of this copy, so the job has failed: the worker's log has the value. "
    "Report it with the image's name, then retry the job."
)

NOT_COUNTED_MESSAGE: Final = "{host} is rate limited: the copy is retried later, and this attempt is not counted"


@dataclass(frozen=True, slots=True)
class Ending:
    """The ending of an attempt. ``mapping`` has new values of the image's row; ``grants`` is by namespace whether its
    pull secrets read the source."""

    outcome: AttemptOutcome
    report: AttemptReport
    mapping: Mapping[str, Any] = field(default_factory=dict)
    grants: Mapping[str, bool] = field(default_factory=dict)
    is_unreadable: bool = False
    """Whether no access to the source could read the image."""
    responded: Collection[str] | None = None
    """Hosts that have responded; None if that is not known."""
    pause: tuple[str, float] | None = None
    """A host that limits requests, and the seconds until it accepts requests again."""
    delay: float | None = None
    """Seconds until the next attempt after a failure; None if there is no further attempt."""
    is_counted: bool = True
    """Whether a failed attempt counts against the maximum."""
    extra_writes: Collection[Callable[[], None]] = ()
    """Further writes at the end of the same transaction: the figures of the copy, and the state of its repository."""
    needs_cluster: str = ""
    """The cluster whose workers must run the job next, if the job is handed over to them; else empty."""
    after_commit: Callable[[], None] = lambda: None
    """Called after the commit."""

    def write(self, lease: Lease) -> bool:
        """Write the ending. Returns False, with the job unchanged, if the lease is lost. After an error, the call can
        be repeated safely."""
        with transaction.atomic():
            if self.responded is not None:
                host_limits.end_probe(lease.probes, responded=self.responded)
            if self.pause is not None:
                host_limits.limit(*self.pause)
            is_held = self._end_job(lease) and self._record_findings(lease)
            if is_held:
                transaction.on_commit(self.after_commit)
            return is_held

    def _end_job(self, lease: Lease) -> bool:
        match self.outcome:
            case AttemptOutcome.SUCCEEDED:
                return leases.succeed(lease, self.report, **self.mapping)
            case AttemptOutcome.CANCELLED:
                return leases.cancel(lease, self.report)
            case AttemptOutcome.HANDED_BACK:
                if self.needs_cluster:
                    return leases.hand_over(lease, self.report, cluster=self.needs_cluster)
                return leases.release(lease, self.report)
        if self.delay is None:
            return leases.fail(lease, self.report, **self.mapping)
        return leases.reschedule(lease, self.report, delay=self.delay, is_counted=self.is_counted)

    def _record_findings(self, lease: Lease) -> bool:
        record_grants(mapping_id=lease.mapping_id, cluster=lease.worker_cluster, grants=self.grants)
        if self.is_unreadable:
            # Pods never get an image that no access could read at its source, whatever the swap policy.
            unknown = ImageMapping.objects.filter(pk=lease.mapping_id, access=Access.UNKNOWN)
            unknown.record(access=Access.UNREADABLE)
        for write in self.extra_writes:
            write()
        return True


def record(lease: Lease, ending: Ending, *, stop: Stop) -> bool:
    """Write the ending, with retries while the database is unavailable. Returns False if this worker has lost the
    lease."""
    try:
        return retry_while_database_is_down(lambda: ending.write(lease), stop=stop)
    except REFUSED_WRITES:
        log.exception("The database refused the result of a copy", job=lease.job_id)
        refused = Ending(AttemptOutcome.FAILED, AttemptReport(ErrorClass.INVALID, NOT_STORABLE))
        return retry_while_database_is_down(lambda: refused.write(lease), stop=stop)


def success(lease: Lease, attempt: Attempt, outcome: CopyOutcome) -> Ending:
    """Return the ending of an attempt that succeeded."""
    referrers = outcome.referrers
    report = replace(
        attempt.report(last_line=outcome.summary), referrers=referrers.status, referrers_error=referrers.error
    )

    def report_success() -> None:
        metrics.COPY_SECONDS.observe(attempt.seconds)
        log.info("Mirrored an image", job=lease.job_id, bytes=outcome.bytes_copied, unchanged=outcome.unchanged)

    return Ending(
        AttemptOutcome.SUCCEEDED,
        report,
        outcome.new_values,
        outcome.grants,
        responded=lease.probes,
        extra_writes=(attempt.save_last_progress, outcome.write_repository),
        after_commit=report_success,
    )


def stop(attempt: Attempt, *, is_cancelled: bool) -> Ending:
    """Return the ending of an attempt that was stopped, because its job was cancelled or its worker stops."""
    if is_cancelled:
        return Ending(AttemptOutcome.CANCELLED, attempt.report(last_line="stopped: the job was cancelled"))
    last_line = "released by this worker, which stops or starts a new drain"
    return Ending(AttemptOutcome.HANDED_BACK, attempt.report(last_line=last_line))


def hand_over(lease: Lease, attempt: Attempt, other: OtherClusterError) -> Ending:
    """Return the ending of an attempt that only workers of another cluster may be able to complete."""
    log.info("A job was handed over to workers of another cluster", job=lease.job_id, cluster=other.cluster)
    return Ending(
        AttemptOutcome.HANDED_BACK,
        attempt.report(other.failure),
        grants=other.failure.grants,
        responded=lease.probes,
        needs_cluster=other.cluster,
    )


def failure(lease: Lease, attempt: Attempt, failed: Failure) -> Ending:
    """Return the ending of an attempt that failed, permanently or until the next attempt."""
    postponed = is_postponed(lease, failed)
    is_final = failed.permanent or (lease.is_last_attempt and not postponed)
    fields = {"job": lease.job_id, "error_class": failed.error_class, "error": failed.message}
    if is_final:
        log.error("An image could not be mirrored", **fields)
    else:
        log.warning("A copy failed and will be retried", **fields)
    # The immutable tag at the target has another image than the source.
    is_conflict = is_final and failed.error_class == ErrorClass.TAG_IMMUTABLE
    return Ending(
        AttemptOutcome.FAILED,
        attempt.report(failed, last_line=NOT_COUNTED_MESSAGE.format(host=failed.host) if postponed else ""),
        mapping={"obstacle": Obstacle.IMMUTABLE_CONFLICT} if is_conflict else {},
        grants=failed.grants if is_final else {},
        is_unreadable=is_final and failed.is_unreadable,
        responded=[failed.host] if failed.permanent else [],
        pause=(failed.host, failed.pause) if failed.pause is not None else None,
        delay=None if is_final else delay_after(lease, failed),
        is_counted=not postponed,
    )
