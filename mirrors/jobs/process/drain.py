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
from django.db import DatabaseError, InterfaceError, close_old_connections, connection

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

log = structlog.get_logger(__name__)


class ImageThreads:
    """Threads that each run one job at a time. They are started on demand, and are daemons, so that a stuck thread does
    not keep the process from exiting."""

    def __init__(self, run: Callable[[Lease], None]) -> None:
        self._run = run
        self._jobs: queue.SimpleQueue[Lease | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._held: list[Lease] = []
        self._lock = threading.Lock()
        self._ended = threading.Event()

    @property
    def held(self) -> list[Lease]:
        """The leases of the running jobs."""
        with self._lock:
            return list(self._held)

    def start(self, lease: Lease) -> None:
        with self._lock:
            self._held.append(lease)
            if len(self._held) > len(self._threads):
                name = f"image-{len(self._threads)}"
                self._threads.append(threading.Thread(target=self._work, name=name, daemon=True))
                self._threads[-1].start()
        self._jobs.put(lease)

    def wait(self, timeout: float) -> None:
        """Wait until a job has ended since the last wait, or for so many seconds."""
        self._ended.wait(timeout)
        self._ended.clear()

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
            close_old_connections()
            try:
                self._run(lease)
            finally:
                with self._lock:
                    self._held.remove(lease)
                self._ended.set()
        connection.close()


class Drain:
    """One drain. ``only`` restricts it to these jobs. An idle drain continues while ``keep_on`` returns true; without
    ``keep_on``, for ``linger`` seconds."""

    def __init__(
        self,
        context: WorkerContext,
        *,
        stop: Stop,
        only: Collection[int] | None = None,
        keep_on: Callable[[], bool] | None = None,
    ) -> None:
        self._context = context
        self._is_stopped = stop
        self._only = only
        self._keep_on = keep_on
        self._threads = ImageThreads(JobExecutor(context, self._must_hand_back).run)
        self._checks = RegistryChecks(context)
        self._limit = time.monotonic() + timing().drain_limit
        self._end = time.monotonic() + timing().drain_end
        self._idle_since: float | None = None
        self._claims_from = 0.0
        self._small_from = 0.0
        self._others_from = 0.0
        self._fairness = claim_search.Fairness()
        self._calls_from = 0.0
        self.claimed = 0

    def run(self) -> str:
        """Run until the drain ends, and return a summary in words."""
        try:
            self._context.renew_engine()
            self._apply_settings()
            while not self._is_over():
                self._fill()
                self._threads.wait(timing().poll)
        finally:
            if self._must_hand_back():
                self._hand_back()
            if self._is_stopped():
                self._context.engine.close()
            self._threads.end()
        self._schedule_the_next_wakeup()
        return f"{self.claimed} jobs were claimed"

    def _must_hand_back(self) -> bool:
        return self._is_stopped() or time.monotonic() >= self._end

    def _apply_settings(self) -> None:
        """Apply the repository settings that operators requested. Such requests are rare, and quickly done."""
        if self._only is not None:
            return
        try:
            repositories.apply_requested(self._context)
        except (DatabaseError, InterfaceError) as error:
            outage_log.warn("Repository settings cannot be checked; trying again later", error)
            connection.close()

    def _is_over(self) -> bool:
        now = time.monotonic()
        if self._must_hand_back():
            return True
        if self._threads.held or self._checks.is_busy():
            self._idle_since = None
            return False
        if now >= self._limit:
            return True
        if self._keep_on is not None:
            return not self._keep_on()
        self._idle_since = self._idle_since or now
        return now - self._idle_since >= timing().linger

    def _fill(self) -> None:
        """Claim jobs until no slot is free or no job can be claimed. If the database is unavailable, try again
        later."""
        now = time.monotonic()
        if now < self._claims_from:
            return
        try:
            close_old_connections()
            if now >= self._small_from:
                self._small_from = now + timing().poll
                self._do_small_things()
            while not self._must_hand_back():
                free = free_slots(self._context.config.copy_.images, self._threads.held)
                lease = self._claim(free)
                if lease is None:
                    if not free.for_any:
                        self._call_for_help(now)
                    return
                self.claimed += 1
                self._idle_since = None
                self._threads.start(lease)
        except (DatabaseError, InterfaceError) as error:
            outage_log.warn("Due jobs cannot be claimed; trying again", error)
            database_outage.notice(error)
            connection.close()
            self._claims_from = now + timing().poll

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
        if free.for_others and not (free.full and now < self._others_from):
            lease = claim(excluding=free.full)
            if lease is None:
                self._others_from = now + timing().poll
        if lease is None and free.for_any and free.full:
            lease = claim()
        return lease

    def _do_small_things(self) -> None:
        """Start requested connection tests, save reported pull limits, and check for changed copy settings."""
        if self._only is None:
            self._checks.start_requested()
        self._context.pull_limits.write()
        if self._context.is_outdated:
            # Under constant load the drain would not end: hand back its jobs after ``drain_limit``, so that the next
            # drain applies the changed copy settings.
            self._end = min(self._end, self._limit)

    def _call_for_help(self, now: float) -> None:
        """Wake other workers if jobs are due while all threads of this process are busy."""
        if self._only is not None or now < self._calls_from:
            return
        self._calls_from = now + timing().poll
        if claim_order.claimable().exists():
            self._calls_from = now + timing().linger
            wake_workers()

    def _hand_back(self) -> None:
        """Wait for the copies to release their jobs, then release the jobs that are left."""
        deadline = time.monotonic() + timing().hand_back_within
        while self._threads.held and time.monotonic() < deadline:
            self._threads.wait(0.2)
        for lease in self._threads.held:
            try:
                leases.release(lease, AttemptReport(log="released by this worker\n"))
            except (DatabaseError, InterfaceError) as error:
                log.warning("A job cannot be released; its lease expires", job=lease.job_id, error=str(error))
                connection.close()

    def _schedule_the_next_wakeup(self) -> None:
        """Wake a worker for the jobs that this drain leaves, now or when the first of them becomes claimable."""
        try:
            if claim_order.claimable(cluster=self._context.config.cluster_name).exists():
                leases.wake_soon() if self._is_stopped() else wake_workers()
            elif (at := claim_order.next_due_at()) is not None:
                wake_workers(not_before=at)
        except (DatabaseError, InterfaceError) as error:
            outage_log.warn("No wake-up could be sent; reconciliation sends it later", error)
            connection.close()
