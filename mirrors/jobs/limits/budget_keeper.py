"""Keeps a process within the limits that all workers share. One thread queries the database once a second while the
process sends requests: it renews the process's shares of budgets, records hosts that limit the process's requests, and
reads which hosts limit requests of other workers.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection

import structlog
from django.db import DatabaseError, InterfaceError, close_old_connections, connection

from mirrors.jobs.limits import budget_shares, host_limits
from mirrors.jobs.timing import timing
from mirrors.oci import Engine
from mirrors.oci.distribution.budgets import RequestBudgets
from mirrors.services import holder_name
from swapper_project.process import outage_log

log = structlog.get_logger(__name__)


class BudgetKeeper:
    """The thread that exchanges limits with the database. It sleeps while this process sends no requests."""

    def __init__(self, budgets: RequestBudgets, engine: Callable[[], Engine]) -> None:
        self._budgets = budgets
        self._engine = engine
        self._name = ""
        self._has_shares = False
        self._paused: dict[str, float] = {}
        """Hosts that this process sends no requests to, each with the end of the pause by ``time.monotonic()``."""
        self._is_down = False
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="budgets", daemon=True)

    def start(self) -> None:
        self._name = holder_name()
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._budgets.has_work.set()
        self._thread.join(5)

    def _run(self) -> None:
        while not self._stopping.is_set():
            is_awake = self._has_shares or self._paused
            self._budgets.has_work.wait(timing().budget_period if is_awake else None)
            if not self._stopping.is_set():
                self._turn()
            self._stopping.wait(timing().budget_period)
        self._release_shares()
        connection.close()

    def _turn(self) -> None:
        active_hosts = self._budgets.pop_active_hosts()
        try:
            close_old_connections()
            self._renew_shares()
            self._exchange_pauses(active_hosts)
            self._is_down = False
        except (DatabaseError, InterfaceError) as error:
            # Requests continue with the last shares, because no worker starts copies while the database is unavailable.
            self._budgets.continue_without_grants()
            if not self._is_down:
                outage_log.warn("The shares of rate limits cannot be renewed; the last ones stay in use", error)
            self._is_down = True
            connection.close()
        except Exception:
            log.exception("The shares of rate limits cannot be renewed; trying again")

    def _renew_shares(self) -> None:
        demands = self._budgets.demands()
        if not demands and not self._has_shares:
            return
        self._budgets.grant(budget_shares.renew(self._name, demands))
        self._has_shares = bool(demands)

    def _exchange_pauses(self, active_hosts: Collection[str]) -> None:
        engine = self._engine()
        for host, seconds in sorted(self._budgets.pop_pauses().items()):
            # A longer pause fails the copy, and is recorded together with that failure.
            if seconds <= engine.settings.inline_wait:
                host_limits.limit_briefly(host, seconds)
                self._paused[host] = time.monotonic() + seconds
        for host, seconds in host_limits.seconds_until_free(active_hosts).items():
            engine.pause(host, seconds)
            self._paused[host] = time.monotonic() + seconds
        self._end_pauses(engine)

    def _end_pauses(self, engine: Engine) -> None:
        """End the pauses of hosts that an operator has resumed."""
        now = time.monotonic()
        self._paused = {host: until for host, until in self._paused.items() if until > now}
        for host in host_limits.without_limit(self._paused) if self._paused else ():
            engine.end_pause(host)
            del self._paused[host]

    def _release_shares(self) -> None:
        try:
            if self._has_shares:
                budget_shares.release_shares(self._name)
        except (DatabaseError, InterfaceError):
            log.info("The shares of this process cannot be released and will expire: the database does not respond")
