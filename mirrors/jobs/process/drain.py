"""A drain: claim due jobs by priority and run them on the image threads of this process, until no job is left.

A drain claims a job whenever a slot is free, however long other copies run. After ``drain_limit`` it ends as soon as no
job runs; after ``drain_end`` it hands back the jobs that still run, and the next drain continues with them.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Collection
from functools import partial

import structlog
from django.db import DatabaseError, InterfaceError, connection

from mirrors.jobs.context.worker_context import Stop, WorkerContext
from mirrors.jobs.copy import repositories
from mirrors.jobs.copy.executor import JobExecutor
from mirrors.jobs.limits.shares import FreeSlots, free_slots
from mirrors.jobs.queue import claim_order, claim_search, claims, database_outage, leases
from mirrors.jobs.queue.leases import AttemptReport, Lease
from mirrors.jobs.timing import timing
from mirrors.jobs.upkeep.registry_checks import RegistryChecks
from mirrors.services import instance_name
from mirrors.services.jobs.wakeup import wake_workers
from swapper_project.process import outage_log
from swapper_project.process.database_connection import close_unusable_connection

log = structlog.get_logger(__name__)


class ImageThreads:
    """Threads that each run one job at a time. They are started on demand, and are daemons, so that a stuck thread does
    not keep the process from exiting."""

    def __init__(self, run: Callable[[Lease], None]) -> None:
        self._run = run
        self._jobs: queue.SimpleQueue[Lease | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._leases: list[Lease] = []
        self._lock = threading.Lock()
        self._job_finished = threading.Event()

    @property
    def running_leases(self) -> list[Lease]:
        """The leases of the running jobs."""
        with self._lock:
            return list(self._leases)

    def start(self, lease: Lease) -> None:
        with self._lock:
            self._leases.append(lease)
            if len(self._leases) > len(self._threads):
                name = f"image-{len(self._threads)}"
                self._threads.append(threading.Thread(target=self._work, name=name, daemon=True))
                self._threads[-1].start()
        self._jobs.put(lease)

    def wait(self, timeout: float) -> None:
        """Wait until a job has ended since the last wait, or for so many seconds."""
        self._job_finished.wait(timeout)
        self._job_finished.clear()

    def end(self, patience: float = 1.0) -> None:
        """Stop the threads: idle ones close their database connections and exit; stuck ones are abandoned after
        ``patience`` seconds."""
        for _ in self._threads:
            self._jobs.put(None)
        deadline = time.monotonic() + patience
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def _work(self) -> None:
        while (lease := self._jobs.get()) is not None:
            close_unusable_connection()
            try:
                self._run(lease)
            finally:
                with self._lock:
                    self._leases.remove(lease)
                self._job_finished.set()
        connection.close()


class Drain:
    """One drain. ``only`` restricts it to these jobs. An idle drain continues while ``keep_running`` returns true;
    without ``keep_running``, for ``linger`` seconds."""

    def __init__(
        self,
        context: WorkerContext,
        *,
        stop: Stop,
        only: Collection[int] | None = None,
        keep_running: Callable[[], bool] | None = None,
    ) -> None:
        self._context = context
        self._is_stopped = stop
        self._only = only
        self._keep_running = keep_running
        self._threads = ImageThreads(JobExecutor(context, self._must_release_jobs).run)
        self._checks = RegistryChecks(context)
        self._soft_deadline = time.monotonic() + timing().drain_limit
        self._hard_deadline = time.monotonic() + timing().drain_end
        self._idle_since: float | None = None
        self._next_claim_at = 0.0
        self._next_chores_at = 0.0
        self._next_fair_claim_at = 0.0
        self._fairness = claim_search.Fairness()
        self._next_wake_at = 0.0
        self.claimed = 0

    def run(self) -> str:
        """Run until the drain ends, and return a summary in words."""
        try:
            self._context.renew_engine()
            self._apply_settings()
            while not self._is_finished():
                self._claim_jobs()
                self._threads.wait(timing().poll)
        finally:
            if self._must_release_jobs():
                self._release_jobs()
            if self._is_stopped():
                self._context.engine.close()
            self._threads.end()
        self._schedule_next_wakeup()
        return f"{self.claimed} jobs were claimed"

    def _must_release_jobs(self) -> bool:
        return self._is_stopped() or time.monotonic() >= self._hard_deadline

    def _apply_settings(self) -> None:
        """Apply the repository settings that operators requested. Such requests are rare, and quickly done."""
        if self._only is not None:
            return
        try:
            repositories.apply_requested(self._context)
        except (DatabaseError, InterfaceError) as error:
            outage_log.warn("Repository settings cannot be checked; trying again later", error)
            connection.close()

    def _is_finished(self) -> bool:
        now = time.monotonic()
        if self._must_release_jobs():
            return True
        if self._threads.running_leases or self._checks.is_busy():
            self._idle_since = None
            return False
        if now >= self._soft_deadline:
            return True
        if self._keep_running is not None:
            return not self._keep_running()
        self._idle_since = self._idle_since or now
        return now - self._idle_since >= timing().linger

    def _claim_jobs(self) -> None:
        """Claim jobs until no slot is free or no job can be claimed. If the database is unavailable, try again
        later."""
        now = time.monotonic()
        if now < self._next_claim_at:
            return
        try:
            close_unusable_connection()
            if now >= self._next_chores_at:
                self._next_chores_at = now + timing().poll
                self._run_chores()
            while not self._must_release_jobs():
                free = free_slots(self._context.config.copy_.images, self._threads.running_leases)
                lease = self._claim(free)
                if lease is None:
                    if not free.for_any:
                        self._wake_other_workers(now)
                    return
                self.claimed += 1
                self._idle_since = None
                self._threads.start(lease)
        except (DatabaseError, InterfaceError) as error:
            outage_log.warn("Due jobs cannot be claimed; trying again", error)
            database_outage.record_outage(error)
            connection.close()
            self._next_claim_at = now + timing().poll

    def _claim(self, free: FreeSlots) -> Lease | None:
        """Claim a job of a namespace and host that have less than their full share; if there is none and a regular slot
        is free, claim any job. While some have their full share, a search without a result is repeated only after
        ``poll`` seconds."""
        lease, now = None, time.monotonic()
        claim = partial(
            claims.claim,
            worker=instance_name(),
            cluster=self._context.config.cluster_name,
            only=self._only,
            fairness=self._fairness,
        )
        if free.for_others and not (free.full and now < self._next_fair_claim_at):
            lease = claim(excluding=free.full)
            if lease is None:
                self._next_fair_claim_at = now + timing().poll
        if lease is None and free.for_any and free.full:
            lease = claim()
        return lease

    def _run_chores(self) -> None:
        """Start requested connection tests, save reported pull limits, and check for changed copy settings."""
        if self._only is None:
            self._checks.start_requested()
        self._context.pull_limits.write()
        if self._context.is_outdated:
            # Under constant load the drain would not end: hand back its jobs after ``drain_limit``, so that the next
            # drain applies the changed copy settings.
            self._hard_deadline = min(self._hard_deadline, self._soft_deadline)

    def _wake_other_workers(self, now: float) -> None:
        """Wake other workers if jobs are due while all threads of this process are busy."""
        if self._only is not None or now < self._next_wake_at:
            return
        self._next_wake_at = now + timing().poll
        if claim_order.claimable().exists():
            self._next_wake_at = now + timing().linger
            wake_workers()

    def _release_jobs(self) -> None:
        """Wait for the copies to release their jobs, then release the jobs that are left."""
        deadline = time.monotonic() + timing().hand_back_within
        while self._threads.running_leases and time.monotonic() < deadline:
            self._threads.wait(0.2)
        for lease in self._threads.running_leases:
            try:
                leases.release(lease, AttemptReport(log="released by this worker\n"))
            except (DatabaseError, InterfaceError) as error:
                log.warning("A job cannot be released; its lease expires", job=lease.job_id, error=str(error))
                connection.close()

    def _schedule_next_wakeup(self) -> None:
        """Wake a worker for the jobs that this drain leaves, now or when the first of them becomes claimable."""
        try:
            if claim_order.claimable(cluster=self._context.config.cluster_name).exists():
                leases.wake_soon() if self._is_stopped() else wake_workers()
            elif (at := claim_order.next_due_at()) is not None:
                wake_workers(not_before=at)
        except (DatabaseError, InterfaceError) as error:
            outage_log.warn("No wake-up could be sent; reconciliation sends it later", error)
            connection.close()
