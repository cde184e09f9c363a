"""Writes readiness over time: a row an hour and cluster, as of the last drill within it."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from django.utils import timezone

from mirrors.models import ReadinessSample
from mirrors.readiness.drill_results import Drill

SAMPLES_KEPT_FOR: Final = timedelta(days=400)
"""A year can be compared with the one before; 9,600 rows for each cluster."""


def record(drill: Drill) -> None:
    """Write the hour's row, and delete those that are too old."""
    now = timezone.now()
    hour = now.replace(minute=0, second=0, microsecond=0)
    counted = {"workloads": drill.total.workloads, "unprotected": drill.total.unprotected, "taken_at": now}
    ReadinessSample.objects.update_or_create(cluster=drill.cluster, hour=hour, defaults=counted)
    ReadinessSample.objects.filter(cluster=drill.cluster, hour__lt=now - SAMPLES_KEPT_FOR).delete()
