"""Readiness over time, as the watchers have written it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from django.db.models import F, Func, IntegerField, OuterRef, QuerySet, Subquery
from django.utils import timezone

from mirrors.models import ReadinessSample

CURRENT: Final = timedelta(hours=2)
"""Age after which a sample says nothing of the cluster now: its watcher takes one every few minutes."""

MOST_POINTS: Final = 24 * 31
"""Of a chart: a month by the hour."""


def newest(now: datetime, **of: str) -> QuerySet[ReadinessSample]:
    """One of each cluster that is watched now, or with ``cluster`` of that one."""
    last = ReadinessSample.objects.filter(cluster=OuterRef("cluster")).order_by("-hour").values("pk")[:1]
    return ReadinessSample.objects.filter(taken_at__gte=now - CURRENT, pk=Subquery(last), **of).order_by("cluster")


def sums(now: datetime, **of: str) -> dict[str, Subquery]:
    """Workloads of all clusters, or with ``cluster`` of one, and those that are not protected, for a query that has
    other numbers too."""
    return {name: _sum(name, now, **of) for name in ("workloads", "unprotected")}


def _sum(name: str, now: datetime, **of: str) -> Subquery:
    # A function and no aggregate: a sum by group would have no row where there is nothing.
    total = Func(F(name), function="SUM", output_field=IntegerField())
    return Subquery(newest(now, **of).order_by().annotate(n=total).values("n"))


def trend(cluster: str, *, days: int = 31) -> Sequence[ReadinessSample]:
    """Of the last days, the oldest first."""
    rows = ReadinessSample.objects.filter(cluster=cluster, hour__gte=timezone.now() - timedelta(days=days))
    return list(rows.order_by("-hour")[:MOST_POINTS])[::-1]
