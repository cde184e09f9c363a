"""Prometheus metrics of clusters: failing pulls, targets that nodes cannot pull from, and restart loops."""

from __future__ import annotations

from typing import Final

from django.db.models import Count, Sum
from prometheus_client.core import GaugeMetricFamily

from mirrors.models import PullFailure, RestartLoop, TargetHealth

PULL_NAMES: Final = ("swapper_failing_pulls", "swapper_target_unhealthy", "swapper_restart_loops")


def pull_metrics() -> list[GaugeMetricFamily]:
    """Return the metrics, read from the database."""
    failing = GaugeMetricFamily(
        PULL_NAMES[0],
        "Pods that cannot pull an image, by cause and by whether they pull from the source or the target.",
        labels=["cluster", "reason", "at"],
    )
    rows = PullFailure.objects.order_by().values_list("cluster", "cause", "at").annotate(n=Sum("pods"))
    for cluster, cause, at, pods in rows:
        failing.add_metric([cluster, cause, at], pods)
    unhealthy = GaugeMetricFamily(
        PULL_NAMES[1], "1 while nodes of the cluster cannot pull from the target.", labels=["cluster", "registry"]
    )
    # Targets that are healthy again are included, because a series that disappears does not end an alert immediately.
    for cluster, registry, state in TargetHealth.objects.values_list("cluster", "registry", "state"):
        unhealthy.add_metric([cluster, registry], state in TargetHealth.DISTURBED)
    loops = GaugeMetricFamily(
        PULL_NAMES[2], "Workloads whose image is not swapped because of a restart loop.", labels=["cluster"]
    )
    active = RestartLoop.objects.active().order_by().values_list("cluster")
    for cluster, number in active.annotate(n=Count("pk")):
        loops.add_metric([cluster], number)
    return [failing, unhealthy, loops]
