"""Reconciliation: a thread of the worker's parent process repairs state that stopped workers have left, in bounded
batches.

Jobs are checked every few seconds, so that the copy of a killed worker restarts soon; everything else each minute.
Several workers can reconcile concurrently, because each update applies only if the row is unchanged since it was read.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from typing import Any

import structlog
from django.conf import settings
from django.db import DatabaseError, InterfaceError, close_old_connections, connection, transaction
from django.db.models import F, OuterRef, Subquery, Value
from django.db.models.functions import Now, StrIndex, Substr

from mirrors.jobs.copy import other_clusters
from mirrors.jobs.process import new_platforms, pruning
from mirrors.jobs.queue import claim_order, database_outage, work_leases
from mirrors.jobs.queue.leases import LOST_MESSAGE, take_over
from mirrors.jobs.timing import timing
from mirrors.jobs.upkeep import registry_checks
from mirrors.models import DEFAULT_CLUSTER, ErrorClass, Existence, ImageMapping, InstanceRole, JobStatus, MirrorJob
from mirrors.services import report_instance, withdraw_instance
from mirrors.services.jobs.wakeup import wake_workers
from mirrors.vocabulary.bounds import LONGEST_PAUSE
from swapper_project.process import configured, outage_log

log = structlog.get_logger(__name__)

JOBS_PER_TURN = 500
"""The maximum number of jobs that one turn processes. Others wait for the next turn."""

EXHAUSTED = (
    "The worker was lost in each of {attempts} attempts to copy this image: check for workers that were killed "
    "(out of memory?), then retry this job."
)


class Reconciler:
    """The thread that reconciles in turns. The first turn starts immediately. ``cluster`` returns the name of the
    worker's cluster; ``on_turn`` is called after each turn with its problem, or an empty string."""

    def __init__(self, *, cluster: Callable[[], str], on_turn: Callable[[str], None] = lambda problem: None) -> None:
        self._cluster = cluster
        self._on_turn = on_turn
        self._full_turn_at = 0.0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="reconcile", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join(5)

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._on_turn(self._turn())
            # The random factor spreads the turns of workers that were started at the same time.
            self._stopping.wait(timing().lookout_period * random.uniform(0.9, 1.1))
        self._withdraw()
        connection.close()

    def _turn(self) -> str:
        """Run one turn and return its problem; empty if there was none."""
        try:
            close_old_connections()
            if time.monotonic() >= self._full_turn_at:
                facts = {"processes": settings.Q_CLUSTER["workers"]}
                report_instance(role=InstanceRole.WORKER, cluster=self._cluster(), facts=facts)
                reconcile(self._cluster())
                self._full_turn_at = time.monotonic() + timing().reconcile_period * random.uniform(0.9, 1.1)
            else:
                recover_jobs(self._cluster())
        except (DatabaseError, InterfaceError) as error:
            outage_log.warn("Jobs cannot be reconciled; trying again", error)
            database_outage.record_outage(error)
            connection.close()
            return f"the database cannot be used: {' '.join(str(error).split())}"
        except Exception:
            log.exception("Reconciling jobs failed; trying again")
            return "reconciling jobs failed: see the log"
        outage_log.record_success()
        return ""

    def _withdraw(self) -> None:
        try:
            withdraw_instance(role=InstanceRole.WORKER, cluster=self._cluster())
        except (DatabaseError, InterfaceError):
            log.info("The row of this worker stays until it expires: the database does not respond")


def reconcile(cluster: str = DEFAULT_CLUSTER) -> None:
    """Run one full turn for a worker of this cluster."""
    recover_jobs(cluster)
    registry_checks.fail_lost_tests()
    _repair()
    other_clusters.redirect_waiting()
    pruning.prune()
    _ensure_existence_refresh()
    if (source := configured.source()) is not None:
        new_platforms.request_missing(source.current)


def recover_jobs(cluster: str = DEFAULT_CLUSTER) -> None:
    """Release the jobs of lost workers, and wake workers for the due jobs of this cluster."""
    if not database_outage.is_recent():
        for job in MirrorJob.objects.expired().order_by("lease_expires_at")[:JOBS_PER_TURN]:
            _recover_job(job)
    _wake(cluster)


def _repair() -> None:
    """Repair rows that older versions wrote: jobs without hosts, and jobs that wait for longer than the longest
    pause."""
    mapping = ImageMapping.objects.filter(pk=OuterRef("mapping_id"))
    source, target = (
        Subquery(mapping.values_list(Substr(field, 1, StrIndex(field, Value("/")) - 1))[:1])
        for field in ("source", "target")
    )
    MirrorJob.objects.without_hosts().update(source_host=source, target_host=target)
    MirrorJob.objects.postponed_beyond(LONGEST_PAUSE).update(available_at=Now())


def _ensure_existence_refresh() -> None:
    """Wake a worker if no process refreshes existence. The worker then starts to refresh, although no copy is due."""
    present = ImageMapping.objects.filter(existence=Existence.PRESENT)
    if not work_leases.is_held(work_leases.EXISTENCE) and present.exists():
        wake_workers()


def _recover_job(job: MirrorJob) -> None:
    """End the lease of a worker that has stopped. Its job is cancelled if a user requested that, failed if it has no
    attempts left, and queued again otherwise."""
    expired = MirrorJob.objects.expired().filter(id=job.id, lease_token=job.lease_token)
    fields: dict[str, Any]
    if job.cancel_requested_at is not None:
        # The job's message already names the user who cancelled it.
        fields = {"status": JobStatus.CANCELLED, "finished_at": Now()}
    elif job.attempts >= job.max_attempts:
        fields = {"status": JobStatus.FAILED, "finished_at": Now()}
        fields |= _worker_lost(EXHAUSTED.format(attempts=job.attempts), says_step=True)
    else:
        expired = expired.filter(cancel_requested_at__isnull=True, attempts__lt=F("max_attempts"))
        fields = {"status": JobStatus.PENDING, "available_at": Now()} | _worker_lost(LOST_MESSAGE)
    with transaction.atomic():
        if take_over(job.id, lambda: expired.update(lease_token=None, lease_expires_at=None, **fields)):
            if "finished_at" in fields:
                ImageMapping.objects.filter(id=job.mapping_id).record()
            log.warning("A worker stopped during a copy", job=job.id, attempts=job.attempts)


def _worker_lost(message: str, *, says_step: bool = False) -> dict[str, Any]:
    return {"error_class": ErrorClass.WORKER_LOST, "error_message": message, "error_says_step": says_step}


def _wake(cluster: str) -> None:
    """Queue a wake-up for the due jobs, because the wake-ups that a lost worker dequeued are lost as well."""
    if claim_order.claimable(cluster=cluster).exists():
        wake_workers()
    elif (at := claim_order.next_due_at()) is not None:
        wake_workers(not_before=at)
