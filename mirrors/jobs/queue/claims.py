"""Claims: a worker acquires the lease of the next due job."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection
from contextlib import suppress
from functools import cache, partial
from typing import Any, Final

from django.db import connection, transaction
from django.db.models import QuerySet

from mirrors.jobs.limits import host_limits
from mirrors.jobs.limits.shares import NO_FULL_SHARES, FullShares
from mirrors.jobs.queue import claim_order, claim_search
from mirrors.jobs.queue.leases import Lease, take_over
from mirrors.jobs.timing import from_now, timing
from mirrors.models import (
    DEFAULT_CLUSTER,
    JobStatus,
    MirrorAttempt,
    MirrorJob,
)
from mirrors.selectors.queries.fixed_query import Argument, fixed_insert, fixed_update

LEASE_TOKEN: Final = MirrorJob._meta.get_field("lease_token")

Update = tuple[QuerySet[MirrorJob, Any], dict[str, Any]]
"""The rows to update, and the new values of their columns."""

CLAIM_ATTEMPTS = 5
"""Attempts of a claim that loses to concurrent claims. Usually the other job has started to probe the same host, and
the next attempt finds a job of another host."""


class _LostClaimError(Exception):
    """A concurrent claim has acquired the job, or the right to probe its host."""


def claim(
    *,
    worker: str,
    cluster: str = DEFAULT_CLUSTER,
    only: Collection[int] | None = None,
    excluding: FullShares = NO_FULL_SHARES,
    fairness: claim_search.Fairness | None = None,
) -> Lease | None:
    """Claim the next due job that a worker of this cluster is allowed to run; return None if no job can be claimed.

    ``only`` restricts the claim to these jobs; ``excluding`` has the namespaces and hosts to skip, because they have
    their full share. The next job is the one with the best priority; among these, one of the namespace with the fewest
    running copies; among these, the oldest. ``fairness`` is the memory that the claims of one drain share.
    """
    fairness = fairness or claim_search.Fairness()
    for _ in range(CLAIM_ATTEMPTS):
        with suppress(_LostClaimError), transaction.atomic():
            return _claim(worker, cluster, only, excluding, fairness)
    return None


def _claim(
    worker: str, cluster: str, only: Collection[int] | None, excluding: FullShares, fairness: claim_search.Fairness
) -> Lease | None:
    state = claim_order.queue_state()
    row = claim_search.next_job(state, cluster, only, excluding, fairness)
    if row is None:
        return None
    probes = host_limits.begin_probe({row["source_host"], row["target_host"]}) if state.has_limits else ()
    if probes is None:
        raise _LostClaimError
    return _acquire(row, probes, worker, cluster)


def _acquire(row: dict[str, Any], probes: tuple[str, ...], worker: str, cluster: str) -> Lease:
    lease = Lease(
        job_id=row["id"],
        token=uuid.uuid4(),
        number=row["claims"] + 1,
        attempts=row["attempts"] + 1,
        probes=probes,
        worker_cluster=cluster,
        **{name: row[name] for name in claim_search.LEASE_COLUMNS},
    )
    # Update the job only if it is unchanged since it was read: without row locks, nothing else prevents double claims.
    token = LEASE_TOKEN.get_db_prep_value(lease.token, connection)
    arguments = (lease.job_id, row["status"], row["claims"], token, lease.attempts, lease.number)
    claim_job = partial(_claim_update(timing().lease), *arguments)
    # If the job was claimed before, its previous worker may have stopped without recording the end of its attempt.
    is_claimed = take_over(lease.job_id, claim_job) if row["claims"] else claim_job()
    if not is_claimed:
        raise _LostClaimError
    _begin_attempt(lease.job_id, lease.number, worker)
    return lease


@cache
def _claim_update(seconds: float) -> Callable[..., int]:
    """Return the update that claims a job with a lease of this duration."""

    @fixed_update
    def claim_job(job_id: Argument, status: Argument, claims: Argument, *arguments: Argument) -> Update:
        token, attempts, number = arguments
        return MirrorJob.objects.filter(pk=job_id, status=status, claims=claims), {
            "status": JobStatus.RUNNING,
            "lease_token": token,
            "lease_expires_at": from_now(seconds),
            "attempts": attempts,
            "claims": number,
        }

    return claim_job


@fixed_insert
def _begin_attempt(job_id: Argument, number: Argument, worker: Argument) -> MirrorAttempt:
    return MirrorAttempt(job_id=job_id, number=number, worker=worker)
