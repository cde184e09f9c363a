"""One claimed job to its end: every way a copy can end is written down here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import structlog
from django.db import transaction

from mirrors.jobs import hosts, retry
from mirrors.jobs import lease as leases
from mirrors.jobs.attempt import Attempt
from mirrors.jobs.copier import Copier, Stop
from mirrors.jobs.copying import Copying, Done
from mirrors.jobs.heart import Pulse
from mirrors.jobs.lease import Lease
from mirrors.jobs.patience import insist
from mirrors.jobs.retry import Failure
from mirrors.models import Access, ErrorClass, ImageMapping, Obstacle
from mirrors.oci import CopyCancelledError
from mirrors.services import record_grants
from swapper_project import metrics

log = structlog.get_logger(__name__)

NOT_COUNTED: Final = "{host} is rate limited: the copy is tried again later, and no attempt is counted"


@dataclass(frozen=True, slots=True)
class Runner:
    """Runs jobs on the calling thread. ``stop`` turning true makes a running copy give its job back."""

    copier: Copier
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

    def _attempt(self, lease: Lease, pulse: Pulse, attempt: Attempt) -> None:
        try:
            copying = Copying(self.copier, lease, attempt)
            done = copying.run(cancelled=lambda: self.stop() or pulse.is_lost or pulse.is_cancelled)
        except CopyCancelledError:
            self._stopped(lease, pulse, attempt)
        except Exception as error:
            self._failed(lease, attempt, retry.classify(error))
        else:
            self._succeeded(lease, attempt, done)

    def _succeeded(self, lease: Lease, attempt: Attempt, done: Done) -> None:
        report = attempt.report(last_words=done.words)

        def write() -> bool:
            with transaction.atomic():
                hosts.end_probe(lease.probes, answered=lease.probes)
                return leases.succeed(lease, report, **done.known) and _learn(lease, done.grants)

        self._record(lease, write)
        metrics.COPY_SECONDS.observe(attempt.seconds)
        log.info("Mirrored an image", job=lease.job_id, bytes=done.bytes_copied, unchanged=done.unchanged)

    def _stopped(self, lease: Lease, pulse: Pulse, attempt: Attempt) -> None:
        if pulse.is_lost:
            log.warning("Another worker has claimed the job; this copy of it was stopped", job=lease.job_id)
        elif pulse.is_cancelled:
            report = attempt.report(last_words="stopped: the job was cancelled")
            self._record(lease, lambda: leases.cancel(lease, report))
        else:
            report = attempt.report(last_words="released by this worker: it stops, or starts a new drain")
            self._record(lease, lambda: leases.hand_back(lease, report))

    def _failed(self, lease: Lease, attempt: Attempt, failure: Failure) -> None:
        is_postponed = retry.is_postponed(lease, failure)
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
                hosts.end_probe(lease.probes, answered=answered)
                if failure.pause is not None:
                    hosts.rest(failure.host, failure.pause)
                if is_final:
                    return leases.fail(lease, report, **_found(failure)) and _learn(lease, failure.grants, failure)
                delay = retry.delay_after(lease, failure)
                return leases.put_off(lease, report, delay=delay, is_counted=not is_postponed)

        self._record(lease, write)

    def _record(self, lease: Lease, write: Any) -> None:
        if not insist(write, stop=self.stop):
            log.warning("Another worker has claimed the job; the result of this copy is discarded", job=lease.job_id)


def _learn(lease: Lease, grants: Mapping[str, bool], failure: Failure | None = None) -> bool:
    record_grants(mapping_id=lease.mapping_id, grants=grants)
    if failure is not None and failure.is_unreadable:
        # Nobody is served what nobody was seen to read, whatever the swap policy.
        ImageMapping.objects.filter(pk=lease.mapping_id, access=Access.UNKNOWN).record(access=Access.UNREADABLE)
    return True


def _found(failure: Failure) -> dict[str, Any]:
    """What a failure tells of its mapping: what lies under an immutable tag is not what the source has."""
    return {"obstacle": Obstacle.IMMUTABLE_CONFLICT} if failure.error_class == ErrorClass.TAG_IMMUTABLE else {}
