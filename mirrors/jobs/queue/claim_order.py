"""The jobs that may be claimed now, which namespaces have copies running, and when the next job may be claimed."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple

from django.db.models import Count, Min, Q, QuerySet
from django.db.models.functions import Now

from mirrors.jobs.limits import host_limits
from mirrors.jobs.limits.shares import NOTHING_FULL, Full
from mirrors.jobs.queue import database_outage
from mirrors.models import JobStatus, MirrorJob
from mirrors.models.jobs.jobs import ABANDONED, MirrorJobQuerySet
from mirrors.selectors.jobs import free_hosts
from mirrors.selectors.queries.fixed_query import fixed_query
from mirrors.vocabulary.clusters import ClusterNamespace


def ready() -> MirrorJobQuerySet:
    """Jobs whose time has come, and those that their workers have abandoned."""
    return MirrorJob.objects.due(abandoned=not database_outage.is_recent())


def claimable(cluster: str | None = None) -> QuerySet[MirrorJob]:
    """Due jobs that no rate limit prevents. With a ``cluster``, those that its workers may try."""
    return allowed(ready(), cluster, has_limits=host_limits.exist())


def allowed(
    due: QuerySet[MirrorJob], cluster: str | None, besides: Full = NOTHING_FULL, *, has_limits: bool
) -> QuerySet[MirrorJob]:
    """Those of ``due`` that may be claimed, ``besides`` those of namespaces and source hosts that have their share.
    ``has_limits``: whether any host is rate limited."""
    if has_limits:
        due = due.filter(free_hosts.free())
    if cluster is not None:
        due = due.filter(needs_cluster__in=["", cluster])
    if besides.namespaces:
        due = due.exclude(in_any(besides.namespaces))
    return due.exclude(source_host__in=besides.hosts) if besides.hosts else due


class RunningCopies(NamedTuple):
    """Namespaces that have copies running, in groups of those that have equally many, the fewest first. The index of a
    group is its rank less one."""

    groups: tuple[tuple[ClusterNamespace, ...], ...]
    has_abandoned: bool
    """Whether workers have stopped renewing the leases of some."""

    def rank(self, namespace: ClusterNamespace) -> int:
        """0: nothing of it runs."""
        return next((rank for rank, names in enumerate(self.groups, start=1) if namespace in names), 0)


@fixed_query
def _running() -> QuerySet[MirrorJob, Any]:
    running = MirrorJob.objects.filter(status=JobStatus.RUNNING).order_by()
    return running.values_list("cluster", "namespace").annotate(copies=Count("pk"), lost=Count("pk", filter=ABANDONED))


def running_copies() -> RunningCopies:
    """They are counted beside the claim, not in it: fairness may lag, the fence may not."""
    by_copies: dict[int, list[ClusterNamespace]] = {}
    has_abandoned = False
    for cluster, namespace, copies, lost in _running():
        by_copies.setdefault(copies, []).append(ClusterNamespace(cluster, namespace))
        has_abandoned |= bool(lost)
    return RunningCopies(tuple(tuple(sorted(by_copies[copies])) for copies in sorted(by_copies)), has_abandoned)


def in_any(namespaces: Iterable[ClusterNamespace]) -> Q:
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
