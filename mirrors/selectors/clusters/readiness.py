"""Samples of readiness over time, which the watchers write."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from django.db.models import F, Func, IntegerField, OuterRef, QuerySet, Subquery
from django.utils import timezone

from mirrors.models import ReadinessSample

CURRENT: Final = timedelta(hours=2)
"""The age after which a sample no longer describes the current state. Watchers take a sample every few minutes."""

MOST_POINTS: Final = 24 * 31
"""The most points of a chart: one per hour for a month."""


def newest(now: datetime, **scope: str) -> QuerySet[ReadinessSample]:
    """Return the newest sample of each cluster that is watched now, or with ``cluster`` of that cluster."""
    last = ReadinessSample.objects.filter(cluster=OuterRef("cluster")).order_by("-hour").values("pk")[:1]
    return ReadinessSample.objects.filter(taken_at__gte=now - CURRENT, pk=Subquery(last), **scope).order_by("cluster")


def sums(now: datetime, **scope: str) -> dict[str, Subquery]:
    """Return subqueries for the number of workloads and of unprotected workloads, to be part of a larger query; of all
    clusters, or with ``cluster`` of one."""
    return {name: _sum(name, now, **scope) for name in ("workloads", "unprotected")}


def _sum(name: str, now: datetime, **scope: str) -> Subquery:
    # SUM is used as a function, not as an aggregate, because a grouped sum has no row if there are no samples.
    total = Func(F(name), function="SUM", output_field=IntegerField())
    return Subquery(newest(now, **scope).order_by().annotate(n=total).values("n"))


def trend(cluster: str, *, days: int = 31) -> Sequence[ReadinessSample]:
    """Return the samples of a cluster for the last days, the oldest first."""
    rows = ReadinessSample.objects.filter(cluster=cluster, hour__gte=timezone.now() - timedelta(days=days))
    return list(rows.order_by("-hour")[:MOST_POINTS])[::-1]
