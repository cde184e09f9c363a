"""The safety net: what no worker attends to any more is put right, in bounded batches.

Every few seconds for jobs, so that a copy whose worker was killed soon begins again; each minute for the rest. Runs in
a thread of the worker's parent process. Several of them at once do no harm: every change names what it saw.
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
"""Jobs looked at in one turn; more wait for the next."""

EXHAUSTED = (
    "Each of {attempts} attempts ended with the worker that copied this image: look for workers that were killed "
    "(out of memory?), then retry this job."
)


class Reconciler:
    """Turns from :meth:`start` to the end of the process, the first one at once. ``cluster`` gives the name of the
    worker's cluster; ``on_turn`` hears how each turn ended."""

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
            # Workers that were started together need not come together for ever.
            self._stopping.wait(timing().lookout_period * random.uniform(0.9, 1.1))
        self._withdraw()
        connection.close()

    def _turn(self) -> str:
        """Return what went wrong; empty: nothing."""
        try:
            close_old_connections()
            if time.monotonic() >= self._full_turn_at:
                facts = {"processes": settings.Q_CLUSTER["workers"]}
                report_instance(role=InstanceRole.WORKER, cluster=self._cluster(), facts=facts)
                reconcile(self._cluster())
                self._full_turn_at = time.monotonic() + timing().reconcile_period * random.uniform(0.9, 1.1)
            else:
                look_out(self._cluster())
        except (DatabaseError, InterfaceError) as error:
            outage_log.warn("Jobs cannot be reconciled; trying again", error)
            database_outage.notice(error)
            connection.close()
            return f"the database cannot be used: {' '.join(str(error).split())}"
        except Exception:
            log.exception("Reconciling jobs failed; trying again")
            return "reconciling jobs failed: see the log"
        outage_log.responds()
        return ""

    def _withdraw(self) -> None:
        try:
            withdraw_instance(role=InstanceRole.WORKER, cluster=self._cluster())
        except (DatabaseError, InterfaceError):
            log.info("The row of this worker stays until it expires: the database does not respond")


def reconcile(cluster: str = DEFAULT_CLUSTER) -> None:
    """One full turn of a worker of this cluster."""
    look_out(cluster)
    registry_checks.give_up_lost()
    _repair()
    other_clusters.look_after()
    pruning.prune()
    _have_existence_refreshed()
    if (source := configured.source()) is not None:
        new_platforms.request_missing(source.current)


def look_out(cluster: str = DEFAULT_CLUSTER) -> None:
    """Take back the jobs of lost workers, and wake somebody for what is due in this cluster."""
    if not database_outage.is_recent():
        for job in MirrorJob.objects.expired().order_by("lease_expires_at")[:JOBS_PER_TURN]:
            _take_back(job)
    _wake(cluster)


def _repair() -> None:
    """Repair the rows of older versions: jobs without hosts, and with times that are beyond any pause."""
    mapping = ImageMapping.objects.filter(pk=OuterRef("mapping_id"))
    source, target = (
        Subquery(mapping.values_list(Substr(field, 1, StrIndex(field, Value("/")) - 1))[:1])
        for field in ("source", "target")
    )
    MirrorJob.objects.without_hosts().update(source_host=source, target_host=target)
    MirrorJob.objects.postponed_beyond(LONGEST_PAUSE).update(available_at=Now())


def _have_existence_refreshed() -> None:
    """Wake a process where none refreshes existence: it begins, though no copy is due."""
    present = ImageMapping.objects.filter(existence=Existence.PRESENT)
    if not work_leases.is_held(work_leases.EXISTENCE) and present.exists():
        wake_workers()


def _take_back(job: MirrorJob) -> None:
    """End the lease of a worker that has stopped; what becomes of the job depends on why and how often."""
    expired = MirrorJob.objects.expired().filter(id=job.id, lease_token=job.lease_token)
    fields: dict[str, Any]
    if job.cancel_requested_at is not None:
        # The message already says who cancelled it.
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
    """Wake-ups get lost with the workers that took them: what is due gets a new one."""
    if claim_order.claimable(cluster=cluster).exists():
        wake_workers()
    elif (at := claim_order.next_due_at()) is not None:
        wake_workers(not_before=at)
