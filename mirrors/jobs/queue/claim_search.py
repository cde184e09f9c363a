"""The search for the next job. The SQL is compiled once for each kind of search, because compiling costs Django three
times the CPU of running it, and a worker searches about twice for each job."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator
from functools import lru_cache
from typing import Any, Final, NamedTuple

from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import BooleanField, ExpressionWrapper, Q, QuerySet

from mirrors.jobs.limits.shares import FullShares
from mirrors.jobs.queue import claim_order, database_outage
from mirrors.jobs.queue.claim_order import QueueState
from mirrors.jobs.timing import from_now, timing
from mirrors.models import MirrorJob
from mirrors.vocabulary.clusters import ClusterNamespace

LEASE_COLUMNS: Final = ("mapping_id", "max_attempts", "cluster", "namespace", "source_host", "may_wait")
"""Columns that are copied to the lease unchanged."""

COLUMNS: Final = ("id", "status", "claims", "attempts", "priority", "target_host", *LEASE_COLUMNS)
"""Columns that a claim reads."""

MOST_COMPILED_SEARCHES: Final = 64
"""The size of the cache of compiled SQL, a few KiB per search. The searches change with the namespaces that have
running copies."""

Row = dict[str, Any]
"""The columns of a job that are in ``COLUMNS``, by name."""


class _Kind(NamedTuple):
    """All parameters that determine the SQL of a search, except for the subset of the jobs that it covers."""

    vendor: str
    cluster: str
    excluding: FullShares
    has_limits: bool
    wait_for_hosts: float


class _SortKey(NamedTuple):
    """The sort key of a job before its age: the lowest is claimed first."""

    priority: int
    rank: int


class _JobSubset(NamedTuple):
    """A subset of the pending or abandoned jobs: all, or those of one priority in these namespaces (``is_within``) or
    in all other namespaces."""

    is_abandoned: bool
    priority: int | None = None
    namespaces: tuple[ClusterNamespace, ...] = ()
    is_within: bool = False


class Fairness:
    """What the searches of one drain remember: that no jobs were due outside certain namespaces. It is remembered for
    ``poll`` seconds, because Postgres reads all jobs of these namespaces to find it out. A namespace that gets its
    first job waits until then."""

    def __init__(self) -> None:
        self._searched: tuple[_Kind, _JobSubset] | None = None
        """The last search without a result, without its namespaces."""
        self._namespaces: frozenset[ClusterNamespace] = frozenset()
        self._until = 0.0

    def has_no_other_jobs(self, subset: _JobSubset, kind: _Kind) -> bool:
        """Return whether, a moment ago, only the namespaces of the subset had jobs of its priority."""
        is_known = self._searched == _without_namespaces(subset, kind) and time.monotonic() < self._until
        return is_known and self._namespaces.issubset(subset.namespaces)

    def remember_no_other_jobs(self, subset: _JobSubset, kind: _Kind) -> None:
        self._searched, self._namespaces = _without_namespaces(subset, kind), frozenset(subset.namespaces)
        self._until = time.monotonic() + timing().poll


def _without_namespaces(subset: _JobSubset, kind: _Kind) -> tuple[_Kind, _JobSubset]:
    return kind, subset._replace(namespaces=())


class _Search(NamedTuple):
    """One search for the next job."""

    kind: _Kind
    state: QueueState
    only: Collection[int] | None
    fairness: Fairness


def next_job(
    state: QueueState,
    cluster: str,
    only: Collection[int] | None,
    excluding: FullShares,
    fairness: Fairness,
) -> Row | None:
    """Return the job to claim, locked if the database supports row locks; None if no job can be claimed. Must run in a
    transaction. ``only`` restricts the search to these jobs; ``excluding`` has the namespaces and hosts to skip,
    because they have their full share."""
    kind = _Kind(connection.vendor, cluster, excluding, state.has_limits, timing().wait_for_hosts)
    search = _Search(kind, state, only, fairness)
    candidates = [_next(_JobSubset(is_abandoned=False), search)]
    if state.has_abandoned and not database_outage.is_recent():
        # Before pending jobs with the same sort key, because abandoned jobs were claimed earlier.
        candidates.insert(0, _next(_JobSubset(is_abandoned=True), search))
    return min(filter(None, candidates), key=lambda row: _sort_key(state, row), default=None)


def _next(all_jobs: _JobSubset, search: _Search) -> Row | None:
    """Return the oldest job of the best priority, unless a namespace with fewer running copies has a job of that
    priority. The database reads pending jobs in the order of an index and does not sort them, because there can be many
    thousands."""
    oldest = _first(all_jobs, search)
    if oldest is None:
        return None
    for subset in _better_subsets(all_jobs, search.state, _sort_key(search.state, oldest)):
        if not subset.is_within and search.fairness.has_no_other_jobs(subset, search.kind):
            continue
        if (found := _first(subset, search)) is not None:
            return found
        if not subset.is_within:
            search.fairness.remember_no_other_jobs(subset, search.kind)
    return oldest


def _better_subsets(all_jobs: _JobSubset, state: QueueState, sort_key: _SortKey) -> Iterator[_JobSubset]:
    """Yield the subsets of jobs of the same priority whose sort key is before this one, the best first."""
    same_priority = all_jobs._replace(priority=sort_key.priority)
    if sort_key.rank:
        yield same_priority._replace(namespaces=tuple(name for group in state.groups for name in group))
    for group in state.groups[: max(0, sort_key.rank - 1)]:
        yield same_priority._replace(namespaces=group, is_within=True)


def _sort_key(state: QueueState, row: Row) -> _SortKey:
    return _SortKey(row["priority"], state.rank(ClusterNamespace(row["cluster"], row["namespace"])))


def _first(subset: _JobSubset, search: _Search) -> Row | None:
    try:
        if search.only is None:
            sql, params = _compiled(subset, search.kind)
        else:
            sql, params = _jobs(subset, search.kind).filter(pk__in=search.only)[:1].query.sql_with_params()
    except EmptyResultSet:
        # The condition matches no jobs, so Django refuses to compile it.
        return None
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        row = cursor.fetchone()
    if row is None:
        return None
    found = dict(zip(COLUMNS, row, strict=True))
    # SQLite has no booleans.
    return {**found, "may_wait": bool(found["may_wait"])}


@lru_cache(maxsize=MOST_COMPILED_SEARCHES)
def _compiled(subset: _JobSubset, kind: _Kind) -> tuple[str, tuple[Any, ...]]:
    return _jobs(subset, kind)[:1].query.sql_with_params()


def _jobs(subset: _JobSubset, kind: _Kind) -> QuerySet[MirrorJob, Any]:
    """Return the query for the jobs of this subset, by priority and age."""
    due = MirrorJob.objects.abandoned() if subset.is_abandoned else MirrorJob.objects.due(abandoned=False)
    if subset.priority is not None:
        in_subset = claim_order.in_any_namespace(subset.namespaces)
        due = due.filter(in_subset if subset.is_within else ~in_subset, priority=subset.priority)
    may_wait = ExpressionWrapper(Q(created_at__gt=from_now(-kind.wait_for_hosts)), output_field=BooleanField())
    rows = claim_order.allowed(due, kind.cluster, kind.excluding, has_limits=kind.has_limits).annotate(
        may_wait=may_wait
    )
    # Workers that claim at the same moment take different jobs instead of waiting for one another.
    locked = rows.select_for_update(skip_locked=True)
    return locked.order_by("priority", "available_at", "id").values_list(*COLUMNS)
