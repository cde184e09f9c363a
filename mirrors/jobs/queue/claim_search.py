"""The search for the next job. Its SQL is compiled once for each kind of search: to compile it costs Django three times
the CPU of running it, and a worker searches about twice for each job."""

from __future__ import annotations

from collections.abc import Collection
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

LEASE_COLUMNS: Final = ("mapping_id", "max_attempts", "cluster", "namespace", "source_host", "may_wait")
"""Columns that a lease has as they are."""

COLUMNS: Final = ("id", "status", "claims", "attempts", "target_host", *LEASE_COLUMNS)
"""Columns that a claim reads."""

MOST_COMPILED_SEARCHES: Final = 64
"""Searches whose SQL is kept, a few KiB each: namespaces come and go with their copies."""


class _Kind(NamedTuple):
    """All that the text and the parameters of a search depend on; times are the database's."""

    vendor: str
    cluster: str
    besides: Full
    has_limits: bool
    takes_abandoned: bool
    running: RunningCopies
    wait_for_hosts: float


def next_job(cluster: str, only: Collection[int] | None, besides: Full, *, has_limits: bool) -> dict[str, Any] | None:
    """The columns of the job to claim, locked where the database locks rows; None: there is none. Within a
    transaction."""
    kind = _Kind(
        connection.vendor,
        cluster,
        besides,
        has_limits,
        not database_outage.is_recent(),
        claim_order.running_copies(),
        timing().wait_for_hosts,
    )
    try:
        sql, params = _compiled(kind) if only is None else _search(kind, only).query.sql_with_params()
    except EmptyResultSet:
        # Of no jobs.
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
def _compiled(kind: _Kind) -> tuple[str, tuple[Any, ...]]:
    return _search(kind, None).query.sql_with_params()


def _search(kind: _Kind, only: Collection[int] | None) -> QuerySet[MirrorJob, Any]:
    due = claim_order.claimable(
        only,
        kind.besides,
        cluster=kind.cluster,
        has_limits=kind.has_limits,
        takes_abandoned=kind.takes_abandoned,
    )
    may_wait = ExpressionWrapper(Q(created_at__gt=from_now(-kind.wait_for_hosts)), output_field=BooleanField())
    rows = due.order_by(*claim_order.order_of_claims(kind.running)).annotate(may_wait=may_wait)
    # Workers that claim at the same moment take different jobs instead of waiting for one another.
    return rows.select_for_update(skip_locked=True).values_list(*COLUMNS)[:1]
