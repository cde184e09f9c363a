"""One claimed job from its access check to its end: every way a copy can end is written down here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import structlog
from django.db import transaction
from django.db.models.functions import Now

from mirrors.images import ImageRef
from mirrors.jobs import access, hosts, retry
from mirrors.jobs import lease as leases
from mirrors.jobs.attempt import Attempt
from mirrors.jobs.copier import Copier, Stop
from mirrors.jobs.heart import Pulse
from mirrors.jobs.lease import Lease
from mirrors.jobs.patience import insist
from mirrors.jobs.retry import Failure, JobRefusedError
from mirrors.models import ErrorClass, Existence, MirrorJob, Obstacle
from mirrors.oci import CopyCancelledError, CopyRequest, CopyResult
from swapper_project import metrics

log = structlog.get_logger(__name__)


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
            copy = _Copy(self.copier, lease, attempt)
            result, known = copy.run(cancelled=lambda: self.stop() or pulse.is_lost or pulse.is_cancelled)
        except CopyCancelledError:
            self._stopped(lease, pulse, attempt)
        except Exception as error:
            self._failed(lease, attempt, retry.classify(error))
        else:
            words = "nothing to do: the target has it already" if result.unchanged else "copied"
            report = attempt.report(last_words=f"{words}; {result.target_digest}")
            self._record(lease, lambda: leases.succeed(lease, report, **known))
            metrics.COPY_SECONDS.observe(attempt.seconds)
            log.info("Mirrored an image", job=lease.job_id, bytes=result.bytes_copied, unchanged=result.unchanged)

    def _stopped(self, lease: Lease, pulse: Pulse, attempt: Attempt) -> None:
        if pulse.is_lost:
            log.warning("Another worker has taken a job over; this copy of it was stopped", job=lease.job_id)
        elif pulse.is_cancelled:
            report = attempt.report(last_words="stopped: the job was cancelled")
            self._record(lease, lambda: leases.cancel(lease, report))
        else:
            report = attempt.report(last_words="handed back: this worker is being stopped")
            self._record(lease, lambda: leases.hand_back(lease, report))

    def _failed(self, lease: Lease, attempt: Attempt, failure: Failure) -> None:
        report = attempt.report(failure)
        is_final = failure.permanent or lease.is_last_attempt
        fields = {"job": lease.job_id, "error_class": failure.error_class, "error": failure.message}
        if is_final:
            log.error("An image could not be mirrored", **fields)
        else:
            log.warning("A copy failed and is tried again", **fields)

        def write() -> bool:
            with transaction.atomic():
                if failure.host and failure.rest:
                    hosts.rest(failure.host, failure.rest)
                if is_final:
                    return leases.fail(lease, report, **_found(failure))
                return leases.put_off(lease, report, delay=retry.delay_after(lease, failure))

        self._record(lease, write)

    def _record(self, lease: Lease, write: Any) -> None:
        if not insist(write, stop=self.stop):
            log.warning("Another worker has taken a job over; what came of it here is dropped", job=lease.job_id)


class _Copy:
    """The work itself, with what it is about."""

    def __init__(self, copier: Copier, lease: Lease, attempt: Attempt) -> None:
        self._copier = copier
        self._attempt = attempt
        attempt.start()
        self._job = MirrorJob.objects.select_related("mapping").get(id=lease.job_id)
        self._source = ImageRef.parse(self._job.mapping.source)
        self._target = ImageRef.parse(self._job.mapping.target)

    def run(self, cancelled: Stop) -> tuple[CopyResult, dict[str, Any]]:
        """The engine's result, and what is known of the mapping now."""
        self._refuse_if_moot()
        source = self._source_access()
        driver = self._copier.driver()
        is_new = driver.ensure_repository(self._target.repository)
        self._attempt.note(f"copying {self._source} to {self._target.name}")
        request = CopyRequest(
            source=self._source,
            target=self._target,
            source_access=source.access,
            target_access=driver.access(),
            platforms=self._copier.config.platforms,
            target_is_new=is_new,
        )
        result = self._copier.engine.copy(request, progress=self._attempt.progress, cancelled=cancelled)
        return result, {**_known(result), "access": source.how}

    def _refuse_if_moot(self) -> None:
        config = self._copier.config
        if self._job.mapping.paused:
            raise JobRefusedError(
                ErrorClass.INVALID, f"{self._source} is paused: resume its mapping, then retry this job."
            )
        if not config.target.name.contains(self._target):
            where = "/".join(filter(None, (config.target.name.endpoint, config.target.name.prefix)))
            raise JobRefusedError(
                ErrorClass.INVALID,
                f"{self._target} does not lie at the configured target {where}: the configuration was changed "
                "after this job was ordered. Order the image anew.",
            )
        if config.dry_run:
            self._attempt.note("dryRun is set: pods order nothing and are not changed, but this copy was ordered")

    def _source_access(self) -> access.SourceAccess:
        namespaces = set(self._job.requests.values_list("namespace", flat=True)) or {self._job.namespace}
        found = access.find(
            access.Asker(self._source, namespaces, self._job.mapping.access),
            catalog=self._copier.catalog(),
            policy=self._copier.config.private_images,
            head=lambda ref, how: self._copier.engine.head(ref, how),
        )
        self._attempt.note(f"the source is read {'with a log-in' if found.access.credentials else 'anonymously'}")
        return found


def _found(failure: Failure) -> dict[str, Any]:
    """What a failure tells of its mapping: what lies under an immutable tag is not what the source has."""
    return {"obstacle": Obstacle.IMMUTABLE_CONFLICT} if failure.error_class == ErrorClass.TAG_IMMUTABLE else {}


def _known(result: CopyResult) -> dict[str, Any]:
    """Of an unchanged image the engine tells neither platforms nor sizes: what was known of them stays."""
    known = {
        "existence": Existence.PRESENT,
        "verified_at": Now(),
        "source_checked_at": Now(),
        "source_digest": result.source_digest,
        "target_digest": result.target_digest,
        "obstacle": Obstacle.NONE,
    }
    if not result.unchanged:
        known |= {"platforms": list(result.platforms), "size_bytes": result.bytes_total}
    return known
