"""The heartbeat of a process: one thread renews the leases of all its copies and checks for cancellations."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import structlog
from django.db import DatabaseError, InterfaceError, close_old_connections, connection

from mirrors.jobs.queue import database_outage, leases, liveness
from mirrors.jobs.queue.leases import Lease
from mirrors.jobs.timing import timing
from mirrors.oci import CopyCancelledError
from swapper_project.process import outage_log

log = structlog.get_logger(__name__)

ERROR_RETRY_SECONDS = 0.5
"""Seconds until the next try after an error of the database, so that the leases are renewed before other workers take
over the jobs."""

AWAIT_SECONDS = 0.05
"""Seconds between two checks of a copy that waits for the renewal of its lease."""


class LeaseStatus:
    """The result of the last renewal of a lease. The copy that holds the lease reads it."""

    __slots__ = ("is_cancelled", "is_lost", "renewed_at")

    def __init__(self) -> None:
        self.is_lost = False
        self.is_cancelled = False
        self.renewed_at = time.monotonic()
        """When the last successful renewal was sent to the database, by ``time.monotonic()``."""

    def wait_until_renewed(self, stop: Callable[[], bool]) -> None:
        """Return once the lease was renewed within the last half of its duration. After a longer time without a
        renewal, because of a fault between this worker and the database, another worker may have the job.

        Raises CopyCancelledError if the lease is lost, ``stop`` returns true, or the database is unavailable for longer
        than ``database_patience``."""
        deadline = time.monotonic() + timing().database_patience
        while time.monotonic() - self.renewed_at > timing().lease / 2:
            self.is_lost |= time.monotonic() > deadline
            if self.is_lost or stop():
                raise CopyCancelledError
            time.sleep(AWAIT_SECONDS)


class Heartbeat:
    """The thread that renews leases. It is separate from the copies' threads, which a slow registry can block."""

    def __init__(self) -> None:
        self._held: dict[Lease, LeaseStatus] = {}
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join(5)

    def add(self, lease: Lease) -> LeaseStatus:
        """Start renewing this lease."""
        with self._lock:
            return self._held.setdefault(lease, LeaseStatus())

    def remove(self, lease: Lease) -> None:
        with self._lock:
            self._held.pop(lease, None)

    def _run(self) -> None:
        pause = timing().heartbeat
        while not self._stopping.wait(pause):
            liveness.touch()
            pause = timing().heartbeat
            try:
                close_old_connections()
                self._renew_leases()
            except (DatabaseError, InterfaceError) as error:
                # Copies continue, because other workers usually cannot claim their jobs either. Before a copy sets a
                # tag, it waits until its lease is renewed.
                outage_log.warn("Leases cannot be renewed; trying again", error)
                database_outage.record_outage(error)
                connection.close()
                pause = min(pause, ERROR_RETRY_SECONDS)
            except Exception:
                # The thread must not stop: without the heartbeat, this process would lose all its leases.
                log.exception("Leases cannot be renewed; trying again")
                pause = min(pause, ERROR_RETRY_SECONDS)
        connection.close()

    def _renew_leases(self) -> None:
        with self._lock:
            held = dict(self._held)
        if not held:
            return
        sent_at = time.monotonic()
        renewed = leases.renew(held)
        for lease, status in held.items():
            status.is_lost = lease.token not in renewed
            status.renewed_at = status.renewed_at if status.is_lost else sent_at
            status.is_cancelled = renewed.get(lease.token, False)
