"""The heartbeat of a process: one thread renews the leases of all its copies and hears of cancellations."""

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

AFTER_ERROR = 0.5
"""Seconds until the next try when the database did not answer: be there before others take the jobs over."""

AWAIT_SECONDS = 0.05
"""Between two looks whether a lease was renewed, by a copy that waits for that."""


class LeaseStatus:
    """Result of the last renewal of one lease; read by the copy that it belongs to."""

    __slots__ = ("is_cancelled", "is_lost", "renewed_at")

    def __init__(self) -> None:
        self.is_lost = False
        self.is_cancelled = False
        self.renewed_at = time.monotonic()
        """When the renewal was sent that the database has confirmed."""

    def await_held(self, stop: Callable[[], bool]) -> None:
        """Return once the lease is held for half its time at least. Where it could not be renewed for that long, by
        whatever fault between this worker and the database, another worker may have the job by now.

        Raises CopyCancelledError when ``stop`` turns true, or the database is unavailable for too long."""
        deadline = time.monotonic() + timing().database_patience
        while time.monotonic() - self.renewed_at > timing().lease / 2:
            self.is_lost |= time.monotonic() > deadline
            if self.is_lost or stop():
                raise CopyCancelledError
            time.sleep(AWAIT_SECONDS)


class Heartbeat:
    """Runs from :meth:`start` to :meth:`stop`. A registry that stalls a copy's own thread doesn't stop it."""

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

    def hold(self, lease: Lease) -> LeaseStatus:
        """Renew this lease from now on."""
        with self._lock:
            return self._held.setdefault(lease, LeaseStatus())

    def let_go(self, lease: Lease) -> None:
        with self._lock:
            self._held.pop(lease, None)

    def _run(self) -> None:
        pause = timing().heartbeat
        while not self._stopping.wait(pause):
            liveness.touch()
            pause = timing().heartbeat
            try:
                close_old_connections()
                self._beat()
            except (DatabaseError, InterfaceError) as error:
                # Copies continue: mostly nobody else can take their jobs either. Before they set a tag they wait.
                outage_log.warn("Leases cannot be renewed; trying again", error)
                database_outage.notice(error)
                connection.close()
                pause = min(pause, AFTER_ERROR)
            except Exception:
                # Without its heartbeat this process would lose every copy that it begins.
                log.exception("Leases cannot be renewed; trying again")
                pause = min(pause, AFTER_ERROR)
        connection.close()

    def _beat(self) -> None:
        with self._lock:
            mine = dict(self._held)
        if not mine:
            return
        asked_at = time.monotonic()
        answers = leases.renew(mine)
        for lease, status in mine.items():
            status.is_lost = lease.token not in answers
            status.renewed_at = status.renewed_at if status.is_lost else asked_at
            status.is_cancelled = answers.get(lease.token, False)
