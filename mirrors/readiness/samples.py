"""Readiness over time: a row an hour and cluster, as of the last drill within it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from django.utils import timezone

from mirrors.models import ReadinessSample
from mirrors.readiness.results import Drill

KEPT: Final = timedelta(days=400)
"""A year can be compared with the one before; 9,600 rows for each cluster."""

CURRENT: Final = timedelta(hours=2)
"""Age after which a sample says nothing of the cluster now: its watcher takes one every few minutes."""

MOST_POINTS: Final = 24 * 31
"""Of a chart: a month by the hour."""


def record(drill: Drill) -> None:
    """Write the hour's row, and delete those that are too old."""
    now = timezone.now()
    hour = now.replace(minute=0, second=0, microsecond=0)
    counted = {"workloads": drill.total.workloads, "unprotected": drill.total.unprotected, "taken_at": now}
    ReadinessSample.objects.update_or_create(cluster=drill.cluster, hour=hour, defaults=counted)
    ReadinessSample.objects.filter(cluster=drill.cluster, hour__lt=now - KEPT).delete()


def newest(now: datetime | None = None) -> list[ReadinessSample]:
    """Of each cluster that is watched now, by name."""
    since = (now or timezone.now()) - CURRENT
    rows = ReadinessSample.objects.filter(taken_at__gte=since).order_by("taken_at")
    return [row for _, row in sorted({row.cluster: row for row in rows}.items())]


def trend(cluster: str, *, days: int = 31) -> Sequence[ReadinessSample]:
    """Of the last days, the oldest first."""
    since = timezone.now() - timedelta(days=days)
    rows = ReadinessSample.objects.filter(cluster=cluster, hour__gte=since)
    return list(rows.order_by("-hour")[:MOST_POINTS])[::-1]
