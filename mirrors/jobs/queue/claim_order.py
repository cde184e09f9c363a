"""The jobs that may be claimed now, their order, and when the next one may."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any

from django.db.models import Case, Count, IntegerField, Min, Q, QuerySet, Value, When
from django.db.models.expressions import Combinable
from django.db.models.functions import Now

from mirrors.jobs.limits import host_limits
from mirrors.jobs.limits.shares import NOTHING_FULL, Full
from mirrors.jobs.queue import database_outage
from mirrors.models import JobStatus, MirrorJob
from mirrors.models.jobs.jobs import MirrorJobQuerySet
from mirrors.selectors.jobs import free_hosts
from mirrors.selectors.queries.fixed_query import fixed_query
from mirrors.vocabulary.clusters import ClusterNamespace


def ready() -> MirrorJobQuerySet:
    """Jobs whose time has come, and those that their workers have abandoned."""
    return MirrorJob.objects.due(abandoned=not database_outage.is_recent())


def claimable(
    only: Collection[int] | None = None,
    besides: Full = NOTHING_FULL,
    *,
    cluster: str | None = None,
    has_limits: bool | None = None,
    takes_abandoned: bool | None = None,
) -> QuerySet[MirrorJob]:
    """Due jobs, of ``only`` these if given, that no rate limit prevents; without those of namespaces and
    source hosts that have their share. With a ``cluster``, those that its workers may try. ``has_limits``: whether any
    host is rate limited, and ``takes_abandoned``: whether leases that ran out count, where that is known already."""
    due = ready() if takes_abandoned is None else MirrorJob.objects.due(abandoned=takes_abandoned)
    if host_limits.exist() if has_limits is None else has_limits:
        due = due.filter(free_hosts.free())
    if cluster is not None:
        due = due.filter(needs_cluster__in=["", cluster])
    if only is not None:
        due = due.filter(pk__in=only)
    if besides.namespaces:
        due = due.exclude(_in_any(besides.namespaces))
    return due.exclude(source_host__in=besides.hosts) if besides.hosts else due


RunningCopies = tuple[tuple[int, tuple[ClusterNamespace, ...]], ...]
"""Namespaces that have copies running, those with the fewest first. The number is their rank, from 1: while the ranks
stay the same, so does the search for the next job."""


@fixed_query
def _running() -> QuerySet[MirrorJob, Any]:
    running = MirrorJob.objects.filter(status=JobStatus.RUNNING).order_by()
    return running.values_list("cluster", "namespace").annotate(Count("pk"))


def running_copies() -> RunningCopies:
    """They are counted beside the claim, not in it: fairness may lag, the fence may not."""
    by_copies: dict[int, list[ClusterNamespace]] = {}
    for cluster, namespace, copies in _running():
        by_copies.setdefault(copies, []).append(ClusterNamespace(cluster, namespace))
    ranked = enumerate((by_copies[copies] for copies in sorted(by_copies)), start=1)
    return tuple((rank, tuple(sorted(names))) for rank, names in ranked)


def order_of_claims(running: RunningCopies | None = None) -> list[str | Combinable]:
    """By priority, then the namespace with the fewest running copies (of ``running``, else counted now), then age."""
    running = running_copies() if running is None else running
    # One branch for each rank: there are no more of these than places in all workers.
    whens = [When(_in_any(names), then=Value(rank)) for rank, names in running]
    turn = [Case(*whens, default=Value(0), output_field=IntegerField())] if whens else []
    return ["priority", *turn, "available_at", "id"]


def _in_any(namespaces: Iterable[ClusterNamespace]) -> Q:
    """One condition for each cluster: there are few of them."""
    by_cluster: dict[str, list[str]] = {}
    for name in sorted(namespaces):
        by_cluster.setdefault(name.cluster, []).append(name.namespace)
    condition = Q(pk__in=[])
    for cluster, names in by_cluster.items():
        condition |= Q(cluster=cluster, namespace__in=names)
    return condition


def next_due_at() -> datetime | None:
    """Return when the next job becomes claimable that is not so now; None: nothing is put off."""
    later = MirrorJob.objects.filter(status=JobStatus.PENDING, available_at__gt=Now())
    times = [
        later.aggregate(first=Min("available_at"))["first"],
        host_limits.next_free_at() if ready().exists() else None,
    ]
    return min((at for at in times if at is not None), default=None)
