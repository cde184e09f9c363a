"""The watcher: waits until it leads its cluster, then reads the cluster and runs the tasks in each turn."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Callable

import structlog
from django.db import DatabaseError, InterfaceError, close_old_connections, connection

from mirrors.jobs.queue import work_leases
from mirrors.jobs.timing import timing
from mirrors.kubernetes.api_server.api_client import ClusterError
from mirrors.models import InstanceRole
from mirrors.services import holder_name, report_instance, withdraw_instance
from mirrors.watcher.leadership import Leadership, MakeTasks
from swapper_project.config import ConfigSource
from swapper_project.process import outage_log
from swapper_project.process.monitoring import metrics

log = structlog.get_logger(__name__)


class Watcher:
    """The watcher's loop, which runs in the calling thread until :meth:`stop`. ``on_turn`` is called after each turn
    with its problem, or with empty text."""

    def __init__(self, source: ConfigSource, tasks: MakeTasks, on_turn: Callable[[str], None]) -> None:
        self._source = source
        self._tasks = tasks
        self._on_turn = on_turn
        self._holder = holder_name()
        self._leadership: Leadership | None = None
        self._stopping = threading.Event()

    def stop(self) -> None:
        self._stopping.set()

    def run(self) -> None:
        while not self._stopping.is_set():
            problem = self._turn()
            self._on_turn(problem)
            metrics.WATCHER_LEADS.set(self._leadership is not None)
            metrics.WATCHER_PROBLEM.set(bool(problem or (self._leadership and self._leadership.problem)))
            self._stopping.wait(self._pause())
        self._resign()
        self._withdraw()

    def _pause(self) -> float:
        """Return the seconds until the next turn: fewer while the first lists are read."""
        leadership = self._leadership
        is_reading = leadership is not None and not leadership.is_complete and not leadership.problem
        return timing().watch_reading if is_reading else timing().watch_period * random.uniform(0.9, 1.1)

    def _turn(self) -> str:
        try:
            close_old_connections()
            self._source.poll()
            self._resign_if_reconfigured()
            if not self._hold_lease():
                self._resign()
                self._report("waiting: another watcher is the leader")
                return ""
            self._ensure_leadership().turn()
            self._report(self._ensure_leadership().problem or "watching")
        except (DatabaseError, InterfaceError) as error:
            outage_log.warn("Cannot save the running images; trying again", error)
            connection.close()
            return f"the database cannot be used: {' '.join(str(error).split())}"
        except ClusterError as error:
            log.error("The cluster cannot be watched", error=str(error))
            return str(error)
        except Exception:
            log.exception("A pass of the watcher failed; trying again")
            return "a pass failed: see the log"
        return ""

    def _hold_lease(self) -> bool:
        return work_leases.hold(watcher_lease_of(self._source.current.cluster_name), self._holder, timing().watch_lease)

    def _ensure_leadership(self) -> Leadership:
        if self._leadership is None:
            self._leadership = Leadership(self._source, self._tasks)
            log.info("This watcher is the leader", cluster=self._leadership.cluster)
        return self._leadership

    def _resign_if_reconfigured(self) -> None:
        """Give up the leadership if the configured cluster name or namespaces have changed, to start with the new
        ones."""
        config, leadership = self._source.current, self._leadership
        if leadership is not None and (leadership.cluster, leadership.namespaces) != (
            config.cluster_name,
            config.watcher.namespaces,
        ):
            self._resign()

    def _resign(self) -> None:
        leadership, self._leadership = self._leadership, None
        if leadership is None:
            return
        leadership.stop()
        try:
            work_leases.release_lease(watcher_lease_of(leadership.cluster), self._holder)
        except (DatabaseError, InterfaceError):
            log.info("The lease of this watcher stays until it expires: the database does not respond")

    def _report(self, state: str) -> None:
        requests = self._leadership.requests if self._leadership else Counter[str]()
        facts = {"state": state, "lists": requests["list"], "watches": requests["watch"]}
        report_instance(role=InstanceRole.WATCHER, facts=facts, cluster=self._source.current.cluster_name)

    def _withdraw(self) -> None:
        try:
            withdraw_instance(role=InstanceRole.WATCHER, cluster=self._source.current.cluster_name)
        except (DatabaseError, InterfaceError):
            log.info("The row of this watcher stays until it expires: the database does not respond")
        connection.close()


def watcher_lease_of(cluster: str) -> str:
    """Return the name of the lease of the watcher that leads a cluster."""
    return f"watcher {cluster}"
