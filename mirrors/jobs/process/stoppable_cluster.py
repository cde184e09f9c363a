"""django-q2's cluster with a graceful stop: copies are notified, hand their jobs back, and the process exits."""

from __future__ import annotations

import gc
import os
import signal
import time
from multiprocessing.process import BaseProcess
from multiprocessing.synchronize import Event
from types import FrameType
from typing import Final

import structlog
from django.conf import settings
from django.db import connections
from django_q.cluster import Cluster
from django_q.signals import post_spawn

from mirrors.jobs.process import lockfree, stopping, tasks
from mirrors.jobs.process.reconcile import Reconciler
from mirrors.jobs.queue import liveness
from mirrors.selectors.configuration import declared
from swapper_project.process.monitoring import probe_server
from swapper_project.process.monitoring.process_readiness import Readiness
from swapper_project.process.parent_death import die_with_parent

log = structlog.get_logger(__name__)

WORKER_ADDRESS: Final = "127.0.0.1:8001"
"""The default address of metrics and probes."""


class StoppableCluster(Cluster):
    """A cluster that sets the stop flag, which all its processes share, before it stops django-q2."""

    sentinel: BaseProcess | None  # type: ignore[assignment]
    stop_event: Event | None  # type: ignore[assignment]

    def __init__(self) -> None:
        stopping.prepare()
        super().__init__()

    def sig_handler(self, signum: int, frame: FrameType | None) -> None:
        stopping.request()
        if self.sentinel is not None and self.stop_event is not None:
            super().sig_handler(signum, frame)  # type: ignore[no-untyped-call]

    @property
    def is_alive(self) -> bool:
        return self.sentinel is not None and self.sentinel.is_alive()


def _stop_children_with_parent() -> None:
    """Have each process that is forked from now on exit when its parent exits (Linux). Block SIGTERM in these
    processes, because systemd and terminals send it to all processes at the same time, and jobs must be handed back
    first.

    Otherwise, a cluster whose parent was killed would continue alongside its successor, and nothing would stop it.
    """
    exit_with_parent = die_with_parent(signal.SIGKILL)
    forking = os.getpid()

    def record_parent() -> None:
        nonlocal forking
        forking = os.getpid()

    def set_up_child() -> None:
        exit_with_parent(forking)
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])

    os.register_at_fork(before=record_parent, after_in_child=set_up_child)
    post_spawn.connect(tasks.take_signals)


def serve() -> int:
    """Run a cluster until a signal stops it, and return the exit status. Threads and connections must be created only
    after the fork."""
    connections.close_all()
    _stop_children_with_parent()
    liveness.prepare()
    lockfree.install()
    cluster = StoppableCluster()
    # Exclude the objects loaded so far from garbage collection in the forked processes, which would copy their memory.
    gc.collect()
    gc.freeze()
    cluster.start()
    if stopping.is_requested():
        cluster.stop()
    readiness = Readiness("worker")
    probe_server.serve_in_background(settings.ENVIRONMENT.bind or WORKER_ADDRESS, readiness, liveness.age)
    reconciler = Reconciler(cluster=declared.own_cluster, on_turn=readiness.record)
    reconciler.start()
    while cluster.is_alive:
        time.sleep(0.2)
    reconciler.stop()
    if stopping.is_requested():
        log.info("The worker has stopped")
        return 0
    log.error(
        "The process that supervises this worker's copies has exited; the worker exits too and must be restarted",
        exit_code=cluster.sentinel.exitcode if cluster.sentinel else None,
        next_step="check whether the kernel (out of memory) or a user killed it",
    )
    return 1
