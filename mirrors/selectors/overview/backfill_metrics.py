"""Prometheus metrics of backfills: images by state, of open runs and of finished runs with failed images."""

from __future__ import annotations

from typing import Final

from django.db.models import Count, Max
from prometheus_client.core import GaugeMetricFamily

from mirrors.models import BackfillImage, BackfillImageState, BackfillRun, BackfillState

BACKFILL_NAME: Final = "swapper_backfill_images"


def backfill_metrics() -> list[GaugeMetricFamily]:
    """Return the metrics, read from the database. A cluster has a value for each state while its newest run is open,
    and after that run has finished with failed images, until the next run is created."""
    images = GaugeMetricFamily(
        BACKFILL_NAME, "Images of the newest backfill of a cluster, by state.", labels=["cluster", "state"]
    )
    newest = BackfillRun.objects.order_by().values("cluster").annotate(newest=Max("pk")).values("newest")
    runs = BackfillRun.objects.filter(pk__in=newest).exclude(state=BackfillState.CANCELLED)
    rows = BackfillImage.objects.filter(run__in=runs).order_by().values_list("run", "state").annotate(n=Count("pk"))
    counts = {(run, state): number for run, state, number in rows}
    for run in runs:
        if run.is_open or counts.get((run.pk, BackfillImageState.FAILED)):
            for state in BackfillImageState.values:
                images.add_metric([run.cluster, state], counts.get((run.pk, state), 0))
    return [images]
