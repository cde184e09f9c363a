"""Backfills for Prometheus: images of the runs that are open, by state."""

from __future__ import annotations

from typing import Final

from django.db.models import Count
from prometheus_client.core import GaugeMetricFamily

from mirrors.models import BackfillImage, BackfillImageState, BackfillRun

BACKFILL_NAME: Final = "swapper_backfill_images"


def backfill_metrics() -> list[GaugeMetricFamily]:
    """As of one look at the database. Each state has a number while a run is open."""
    images = GaugeMetricFamily(
        BACKFILL_NAME, "Images of the backfill that is under way, by state.", labels=["cluster", "state"]
    )
    for pk, cluster in BackfillRun.objects.filter(state__in=BackfillRun.OPEN).values_list("pk", "cluster"):
        rows = BackfillImage.objects.filter(run=pk).order_by().values_list("state").annotate(n=Count("pk"))
        counts = dict(rows)
        for state in BackfillImageState.values:
            images.add_metric([cluster, state], counts.get(state, 0))
    return [images]
