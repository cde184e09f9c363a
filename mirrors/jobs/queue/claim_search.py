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

from mirrors.jobs.limits.shares import Full
from mirrors.jobs.queue import claim_order, database_outage
from mirrors.jobs.queue.claim_order import RunningCopies
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
    """All parameters that determine the SQL of a search, except for the part of the jobs that it covers."""

    vendor: str
    cluster: str
    besides: Full
    has_limits: bool
    wait_for_hosts: float


class _Turn(NamedTuple):
    """The sort key of a job before its age: the lowest turn is claimed first."""

    priority: int
    rank: int


class _Part(NamedTuple):
    """A part of the pending or abandoned jobs: all, or those of one priority in these namespaces (``is_within``) or in
    all other namespaces."""

    is_abandoned: bool
    priority: int | None = None
    namespaces: tuple[ClusterNamespace, ...] = ()
    is_within: bool = False


class Fairness:
    """What the searches of one drain remember: that no jobs were due outside certain namespaces. It is remembered for
    ``poll`` seconds, because Postgres reads all jobs of these namespaces to find it out. A namespace that gets its
    first job waits until then."""

    def __init__(self) -> None:
        self._searched: tuple[_Kind, _Part] | None = None
        """The last search without a result, without its namespaces."""
        self._namespaces: frozenset[ClusterNamespace] = frozenset()
        self._until = 0.0

    def is_nobody_else(self, part: _Part, kind: _Kind) -> bool:
        """Return whether, a moment ago, only the namespaces of the part had jobs of its priority."""
        is_known = self._searched == _without_namespaces(part, kind) and time.monotonic() < self._until
        return is_known and self._namespaces.issubset(part.namespaces)

    def note_nobody_else(self, part: _Part, kind: _Kind) -> None:
        self._searched, self._namespaces = _without_namespaces(part, kind), frozenset(part.namespaces)
        self._until = time.monotonic() + timing().poll


def _without_namespaces(part: _Part, kind: _Kind) -> tuple[_Kind, _Part]:
    return kind, part._replace(namespaces=())


class _Search(NamedTuple):
    """One search for the next job."""

    kind: _Kind
    running: RunningCopies
    only: Collection[int] | None
    fairness: Fairness


def next_job(
    cluster: str,
    only: Collection[int] | None,
    besides: Full,
    *,
    has_limits: bool,
    fairness: Fairness,
) -> Row | None:
    """Return the job to claim, locked if the database supports row locks; None if no job can be claimed. Must run in a
    transaction. ``only`` restricts the search to these jobs; ``besides`` has the namespaces and hosts to skip, because
    they have their full share."""
    running = claim_order.running_copies()
    kind = _Kind(connection.vendor, cluster, besides, has_limits, timing().wait_for_hosts)
    search = _Search(kind, running, only, fairness)
    found = [_next(_Part(is_abandoned=False), search)]
    if running.has_abandoned and not database_outage.is_recent():
        # Before pending jobs with the same turn, because abandoned jobs were claimed earlier.
        found.insert(0, _next(_Part(is_abandoned=True), search))
    return min(filter(None, found), key=lambda row: _turn(running, row), default=None)


def _next(every: _Part, search: _Search) -> Row | None:
    """Return the oldest job of the best priority, unless a namespace with fewer running copies has a job of that
    priority. The database reads pending jobs in the order of an index and does not sort them, because there can be many
    thousands."""
    oldest = _first(every, search)
    if oldest is None:
        return None
    for part in _better_turns(every, search.running, _turn(search.running, oldest)):
        if not part.is_within and search.fairness.is_nobody_else(part, search.kind):
            continue
        if (found := _first(part, search)) is not None:
            return found
        if not part.is_within:
            search.fairness.note_nobody_else(part, search.kind)
    return oldest


def _better_turns(every: _Part, running: RunningCopies, turn: _Turn) -> Iterator[_Part]:
    """Yield the parts with jobs of the same priority whose turn is before this one, the best first."""
    same = every._replace(priority=turn.priority)
    if turn.rank:
        yield same._replace(namespaces=tuple(name for group in running.groups for name in group))
    for group in running.groups[: max(0, turn.rank - 1)]:
        yield same._replace(namespaces=group, is_within=True)


def _turn(running: RunningCopies, row: Row) -> _Turn:
    return _Turn(row["priority"], running.rank(ClusterNamespace(row["cluster"], row["namespace"])))


def _first(part: _Part, search: _Search) -> Row | None:
    try:
        if search.only is None:
            sql, params = _compiled(part, search.kind)
        else:
            sql, params = _jobs(part, search.kind).filter(pk__in=search.only)[:1].query.sql_with_params()
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
def _compiled(part: _Part, kind: _Kind) -> tuple[str, tuple[Any, ...]]:
    return _jobs(part, kind)[:1].query.sql_with_params()


def _jobs(part: _Part, kind: _Kind) -> QuerySet[MirrorJob, Any]:
    """Return the query for the jobs of this part, by priority and age."""
    due = MirrorJob.objects.abandoned() if part.is_abandoned else MirrorJob.objects.due(abandoned=False)
    if part.priority is not None:
        named = claim_order.in_any(part.namespaces)
        due = due.filter(named if part.is_within else ~named, priority=part.priority)
    may_wait = ExpressionWrapper(Q(created_at__gt=from_now(-kind.wait_for_hosts)), output_field=BooleanField())
    rows = claim_order.allowed(due, kind.cluster, kind.besides, has_limits=kind.has_limits).annotate(may_wait=may_wait)
    # Workers that claim at the same moment take different jobs instead of waiting for one another.
    locked = rows.select_for_update(skip_locked=True)
    return locked.order_by("priority", "available_at", "id").values_list(*COLUMNS)
