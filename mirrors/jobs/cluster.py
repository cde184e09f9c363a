"""django-q2's cluster with our way to stop: copies hear of it, hand their jobs back, and the process is gone."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
from multiprocessing.process import BaseProcess
from multiprocessing.synchronize import Event
from types import FrameType

import structlog
from django.conf import settings
from django.db import connections
from django_q.cluster import Cluster

from mirrors.jobs import monitor, stopping
from mirrors.jobs.reconcile import Reconciler

PR_SET_PDEATHSIG = 1

log = structlog.get_logger(__name__)


class StoppableCluster(Cluster):
    """Sets the flag that all its processes were forked with before it asks django-q2 to stop."""

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


def _let_children_follow() -> None:
    """Have each process that is forked from now on end with the one that forked it (Linux).

    A cluster whose parent was killed would otherwise go on, with nobody to stop it, beside its successor.
    """
    if sys.platform == "linux":
        prctl = ctypes.CDLL(None).prctl
        os.register_at_fork(after_in_child=lambda: prctl(PR_SET_PDEATHSIG, signal.SIGKILL))


def serve() -> None:
    """Run a cluster until a signal stops it. Threads and connections are made after the fork only."""
    connections.close_all()
    _let_children_follow()
    cluster = StoppableCluster()
    cluster.start()
    if stopping.is_requested():
        cluster.stop()
    reconciler = Reconciler()
    reconciler.start()
    monitor.serve_in_background(settings.ENVIRONMENT.bind or monitor.DEFAULT_ADDRESS)
    log.info("The worker is ready")
    while cluster.is_alive:
        time.sleep(0.2)
    reconciler.stop()
    log.info("The worker has stopped")
