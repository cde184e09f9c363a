"""One claimed job to its end: every way a copy can end is written down here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import structlog
from django.db import DataError, IntegrityError, transaction

from mirrors.jobs.copy import failures
from mirrors.jobs.copy.attempt_log import Attempt
from mirrors.jobs.copy.copy_job import CopyJob, CopyOutcome
from mirrors.jobs.copy.failures import Failure
from mirrors.jobs.copy.worker_context import Stop, WorkerContext
from mirrors.jobs.queue import host_limits, leases
from mirrors.jobs.queue.database_retry import retry_while_database_is_down
from mirrors.jobs.queue.heartbeat import LeaseStatus
from mirrors.jobs.queue.leases import AttemptReport, Lease
from mirrors.models import Access, ErrorClass, ImageMapping, Obstacle
from mirrors.oci import CopyCancelledError
from mirrors.services import record_grants
from swapper_project.process import metrics

log = structlog.get_logger(__name__)

NOT_COUNTED: Final = "{host} is rate limited: the copy is tried again later, and no attempt is counted"

REFUSED_WRITES: Final = (DataError, IntegrityError, ValueError, OverflowError)
"""What a database, or its driver, says of a value that it never takes: a second copy would end the same way."""

NOT_STORABLE: Final = (
    "The database refused to store the result of this copy, so that the job ends here: the worker's log has the value. "
    "Report it with the image's name, then retry the job."
)


@dataclass(frozen=True, slots=True)
class JobExecutor:
    """Runs jobs on the calling thread. ``stop`` turning true makes a running copy give its job back."""

    copier: WorkerContext
    stop: Stop

    def run(self, lease: Lease) -> None:
        """Never raises: what goes wrong is recorded, and where that can't be done the lease runs out by itself."""
        pulse = self.copier.heart.hold(lease)
        attempt = Attempt(lease)
        try:
            self._attempt(lease, pulse, attempt)
        except Exception:
            log.exception("The end of a copy could not be recorded; the job is tried again", job=lease.job_id)
        finally:
            self.copier.heart.let_go(lease)
            attempt.count_bytes()

    def _attempt(self, lease: Lease, pulse: LeaseStatus, attempt: Attempt) -> None:
        try:
            copying = CopyJob(self.copier, lease, attempt)
            done = copying.run(cancelled=lambda: self.stop() or pulse.is_lost or pulse.is_cancelled)
        except CopyCancelledError:
            self._stopped(lease, pulse, attempt)
        except Exception as error:
            self._failed(lease, attempt, failures.classify(error))
        else:
            self._succeeded(lease, attempt, done)

    def _succeeded(self, lease: Lease, attempt: Attempt, done: CopyOutcome) -> None:
        referrers = done.referrers
        report = replace(
            attempt.report(last_words=done.words), referrers=referrers.status, referrers_error=referrers.error
        )

        def write() -> bool:
            with transaction.atomic():
                host_limits.end_probe(lease.probes, answered=lease.probes)
                return leases.succeed(lease, report, **done.known) and _learn(lease, done.grants)

        self._record(lease, write)
        metrics.COPY_SECONDS.observe(attempt.seconds)
        log.info("Mirrored an image", job=lease.job_id, bytes=done.bytes_copied, unchanged=done.unchanged)

    def _stopped(self, lease: Lease, pulse: LeaseStatus, attempt: Attempt) -> None:
        if pulse.is_lost:
            log.warning("Another worker has claimed the job; this copy of it was stopped", job=lease.job_id)
        elif pulse.is_cancelled:
            report = attempt.report(last_words="stopped: the job was cancelled")
            self._record(lease, lambda: leases.cancel(lease, report))
        else:
            report = attempt.report(last_words="released by this worker: it stops, or starts a new drain")
            self._record(lease, lambda: leases.hand_back(lease, report))

    def _failed(self, lease: Lease, attempt: Attempt, failure: Failure) -> None:
        is_postponed = failures.is_postponed(lease, failure)
        report = attempt.report(failure, last_words=NOT_COUNTED.format(host=failure.host) if is_postponed else "")
        is_final = failure.permanent or (lease.is_last_attempt and not is_postponed)
        fields = {"job": lease.job_id, "error_class": failure.error_class, "error": failure.message}
        if is_final:
            log.error("An image could not be mirrored", **fields)
        else:
            log.warning("A copy failed and is tried again", **fields)

        def write() -> bool:
            with transaction.atomic():
                answered = [failure.host] if failure.permanent else []
                host_limits.end_probe(lease.probes, answered=answered)
                if failure.pause is not None:
                    host_limits.rest(failure.host, failure.pause)
                if is_final:
                    return leases.fail(lease, report, **_found(failure)) and _learn(lease, failure.grants, failure)
                delay = failures.delay_after(lease, failure)
                return leases.put_off(lease, report, delay=delay, is_counted=not is_postponed)

        self._record(lease, write)

    def _record(self, lease: Lease, write: Callable[[], bool]) -> None:
        try:
            is_held = retry_while_database_is_down(write, stop=self.stop)
        except REFUSED_WRITES:
            log.exception("The database refused the result of a copy", job=lease.job_id)
            report = AttemptReport(ErrorClass.INVALID, NOT_STORABLE)
            is_held = retry_while_database_is_down(lambda: leases.fail(lease, report), stop=self.stop)
        if not is_held:
            log.warning("Another worker has claimed the job; the result of this copy is discarded", job=lease.job_id)


def _learn(lease: Lease, grants: Mapping[str, bool], failure: Failure | None = None) -> bool:
    record_grants(mapping_id=lease.mapping_id, grants=grants)
    if failure is not None and failure.is_unreadable:
        # Nobody is served what nobody was seen to read, whatever the swap policy.
        ImageMapping.objects.filter(pk=lease.mapping_id, access=Access.UNKNOWN).record(access=Access.UNREADABLE)
    return True


def _found(failure: Failure) -> dict[str, Any]:
    """What a failure says of its mapping: what lies under an immutable tag is not what the source has."""
    return {"obstacle": Obstacle.IMMUTABLE_CONFLICT} if failure.error_class == ErrorClass.TAG_IMMUTABLE else {}
