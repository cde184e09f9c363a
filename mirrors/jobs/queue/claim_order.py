"""The jobs that can be claimed now, what a claim depends on (the running copies by namespace, limits of hosts), and the
time when the next job can be claimed."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple

from django.db.models import Count, Min, Q, QuerySet, Value
from django.db.models.functions import Now

from mirrors.jobs.limits import host_limits
from mirrors.jobs.limits.shares import NO_FULL_SHARES, FullShares
from mirrors.jobs.queue import database_outage
from mirrors.models import HostBudget, JobStatus, MirrorJob
from mirrors.models.jobs.jobs import ABANDONED, MirrorJobQuerySet
from mirrors.selectors.jobs import free_hosts
from mirrors.selectors.queries.fixed_query import fixed_query
from mirrors.vocabulary.clusters import ClusterNamespace


def ready() -> MirrorJobQuerySet:
    """Return the pending jobs whose start time has passed and, unless the database was unavailable just now, jobs
    whose lease has expired."""
    return MirrorJob.objects.due(abandoned=not database_outage.is_recent())


def claimable(cluster: str | None = None) -> QuerySet[MirrorJob]:
    """Return the due jobs that no rate limit delays; with a ``cluster``, only those that its workers are allowed to
    run."""
    return allowed(ready(), cluster, has_limits=host_limits.any_limited())


def allowed(
    due: QuerySet[MirrorJob], cluster: str | None, excluding: FullShares = NO_FULL_SHARES, *, has_limits: bool
) -> QuerySet[MirrorJob]:
    """Filter ``due`` to the jobs that can be claimed: without jobs of rate limited hosts (checked only if
    ``has_limits``), jobs for other clusters than ``cluster``, and jobs of the namespaces and source hosts in
    ``excluding``, which have their full share."""
    if has_limits:
        due = due.filter(free_hosts.free())
    if cluster is not None:
        due = due.filter(needs_cluster__in=["", cluster])
    if excluding.namespaces:
        due = due.exclude(in_any_namespace(excluding.namespaces))
    return due.exclude(source_host__in=excluding.hosts) if excluding.hosts else due


class QueueState(NamedTuple):
    """What a claim depends on. ``groups`` are the namespaces with running copies, grouped by their number of copies,
    the fewest first. The rank of a group is its index plus one."""

    groups: tuple[tuple[ClusterNamespace, ...], ...]
    has_abandoned: bool
    """Whether the leases of some running jobs have expired."""
    has_limits: bool
    """Whether any host is limited in any way or waits for a probe."""

    def rank(self, namespace: ClusterNamespace) -> int:
        """Return the rank of the namespace's group; 0 if the namespace has no running copies."""
        return next((rank for rank, names in enumerate(self.groups, start=1) if namespace in names), 0)


@fixed_query
def _running_and_limited() -> QuerySet[MirrorJob, Any]:
    """Return the namespaces with running copies, and a row without copies if any host is limited: each claim needs
    both."""
    running = MirrorJob.objects.filter(status=JobStatus.RUNNING).order_by()
    copies = running.values_list("cluster", "namespace").annotate(
        copies=Count("pk"), lost=Count("pk", filter=ABANDONED)
    )
    limited = HostBudget.objects.limited().values_list(Value(""), Value(""), Value(0), Value(0)).distinct()
    return copies.union(limited, all=True)


def queue_state() -> QueueState:
    """Read the state of the queue. A separate query from the claim: the fairness may be slightly out of date, the
    protection against double claims must not be."""
    by_copies: dict[int, list[ClusterNamespace]] = {}
    has_abandoned = False
    for cluster, namespace, copies, lost in _running_and_limited():
        by_copies.setdefault(copies, []).append(ClusterNamespace(cluster, namespace))
        has_abandoned |= bool(lost)
    has_limits = by_copies.pop(0, None) is not None
    groups = tuple(tuple(sorted(by_copies[copies])) for copies in sorted(by_copies))
    return QueueState(groups, has_abandoned, has_limits)


def in_any_namespace(namespaces: Iterable[ClusterNamespace]) -> Q:
    """Return a condition that matches these namespaces, with one term for each cluster, because clusters are few."""
    by_cluster: dict[str, list[str]] = {}
    for name in sorted(namespaces):
        by_cluster.setdefault(name.cluster, []).append(name.namespace)
    condition = Q(pk__in=[])
    for cluster, cluster_namespaces in by_cluster.items():
        condition |= Q(cluster=cluster, namespace__in=cluster_namespaces)
    return condition


def next_due_at() -> datetime | None:
    """Return when the next job becomes claimable; None if no job waits for its start time or for a rate limit."""
    scheduled = MirrorJob.objects.filter(status=JobStatus.PENDING, available_at__gt=Now())
    times = [
        scheduled.aggregate(first=Min("available_at"))["first"],
        host_limits.next_free_at() if ready().exists() else None,
    ]
    return min((at for at in times if at is not None), default=None)
