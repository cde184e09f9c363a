"""Stores readiness over time: one row per cluster and hour, with the last drill of that hour."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from django.utils import timezone

from mirrors.models import ReadinessSample
from mirrors.readiness.drill_results import Drill

SAMPLES_KEPT_FOR: Final = timedelta(days=400)
"""How long samples are kept: more than a year, to compare with the same month of the last year. 9,600 rows per
cluster."""


def record(drill: Drill) -> None:
    """Write the row of the current hour, and delete rows that are too old."""
    now = timezone.now()
    hour = now.replace(minute=0, second=0, microsecond=0)
    counted = {"workloads": drill.total.workloads, "unprotected": drill.total.unprotected, "taken_at": now}
    ReadinessSample.objects.update_or_create(cluster=drill.cluster, hour=hour, defaults=counted)
    ReadinessSample.objects.filter(cluster=drill.cluster, hour__lt=now - SAMPLES_KEPT_FOR).delete()
