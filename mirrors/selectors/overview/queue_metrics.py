"""Prometheus metrics of the queue and of clusters, read only by the web process, at most every 15 seconds."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Final

import structlog
from django.db import DatabaseError
from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from mirrors.selectors.jobs import job_queue
from mirrors.selectors.overview import current_state
from mirrors.selectors.overview.backfill_metrics import BACKFILL_NAME, backfill_metrics
from mirrors.selectors.overview.pull_metrics import PULL_NAMES, pull_metrics
from swapper_project.process import outage_log

log = structlog.get_logger(__name__)

METRICS_SECONDS: Final = 15.0
"""Seconds for which the metrics are cached: Prometheus scrapes every 15 to 60 seconds, often from two servers."""

QUEUE_METRICS: Final = ("swapper_jobs", "swapper_job_oldest_seconds", "swapper_processes", *PULL_NAMES, BACKFILL_NAME)
_LOCK = threading.Lock()
_seen: tuple[float, list[Metric]] = (0.0, [])


class QueueCollector(Collector):
    """Collects the metrics of unfinished jobs and of clusters. Workers count the jobs that finish."""

    def collect(self) -> Iterator[Metric]:
        global _seen
        with _LOCK:
            read_at, metrics = _seen
            if not metrics or time.monotonic() - read_at > METRICS_SECONDS:
                try:
                    metrics = _read()
                except DatabaseError as error:
                    outage_log.warn("The queue's figures cannot be read; they are left out", error)
                    metrics = []
                _seen = (time.monotonic(), metrics)
        yield from metrics


def _read() -> list[Metric]:
    jobs = GaugeMetricFamily(QUEUE_METRICS[0], "Jobs that are not finished, by status.", labels=["status"])
    queue = job_queue.queue()
    jobs.add_metric(["pending"], sum(line.waiting for line in queue))
    jobs.add_metric(["running"], sum(line.running for line in queue))
    oldest = GaugeMetricFamily(
        QUEUE_METRICS[1],
        "Seconds for which the oldest due job has waited for a worker, by priority; 0 if no job is due.",
        labels=["priority"],
    )
    for line in queue:
        oldest.add_metric([line.name], line.oldest_due_seconds)
    processes = GaugeMetricFamily(
        QUEUE_METRICS[2], "Processes that have reported recently, by role and cluster.", labels=["role", "cluster"]
    )
    for (role, cluster), count in sorted(current_state.processes_by_cluster().items()):
        processes.add_metric([role, cluster], count)
    return [jobs, oldest, processes, *pull_metrics(), *backfill_metrics()]
