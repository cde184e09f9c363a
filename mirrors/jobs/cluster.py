"""django-q2's cluster with our way to stop: copies hear of it, hand their jobs back, and the process is gone."""

from __future__ import annotations

import time
from types import FrameType

import structlog
from django.db import connections
from django_q.cluster import Cluster

from mirrors.jobs import stopping
from mirrors.jobs.reconcile import Reconciler

log = structlog.get_logger(__name__)


class StoppableCluster(Cluster):
    """Sets the event that all its processes were forked with before it asks django-q2 to stop."""

    def __init__(self) -> None:
        self._stop = stopping.prepare()
        super().__init__()

    def sig_handler(self, signum: int, frame: FrameType | None) -> None:
        self._stop.set()
        if self.sentinel is not None and self.stop_event is not None:
            super().sig_handler(signum, frame)


def serve() -> None:
    """Run a cluster until a signal stops it. Threads and connections are made after the fork only."""
    connections.close_all()
    cluster = StoppableCluster()
    cluster.start()
    reconciler = Reconciler()
    reconciler.start()
    log.info("The worker is ready")
    while cluster.sentinel.is_alive():
        time.sleep(0.2)
    reconciler.stop()
    log.info("The worker has stopped")
