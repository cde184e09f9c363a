"""Readiness for Prometheus: the newest sample of each cluster, read by the web process."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import structlog
from django.db import DatabaseError
from django.utils import timezone
from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from mirrors.selectors.clusters.readiness import newest
from swapper_project.process import outage_log

log = structlog.get_logger(__name__)

UNPROTECTED: Final = "swapper_unprotected_workloads"
ALL_WORKLOADS: Final = "swapper_workloads"
READINESS_METRICS: Final = (UNPROTECTED, ALL_WORKLOADS)


class ReadinessCollector(Collector):
    """Collects the newest sample of each cluster. Clusters whose watcher has stopped are omitted."""

    def collect(self) -> Iterator[Metric]:
        try:
            found = list(newest(timezone.now()))
        except DatabaseError as error:
            outage_log.warn("Readiness cannot be read; it is left out", error)
            return
        unprotected = GaugeMetricFamily(
            UNPROTECTED,
            "Workloads with an image that needs its source to start, by cluster.",
            labels=["cluster"],
        )
        workloads = GaugeMetricFamily(ALL_WORKLOADS, "Workloads whose images the watcher lists.", labels=["cluster"])
        for sample in found:
            unprotected.add_metric([sample.cluster], sample.unprotected)
            workloads.add_metric([sample.cluster], sample.workloads)
        yield from (unprotected, workloads)
