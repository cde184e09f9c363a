"""Claims: a worker takes the next job that is due, and gets the lease of it."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from contextlib import suppress
from typing import Any

from django.db import transaction
from django.db.models import BooleanField, ExpressionWrapper, Q

from mirrors.jobs.queue import claim_order, host_limits
from mirrors.jobs.queue.leases import Lease, lose_attempts
from mirrors.jobs.queue.shares import NOTHING, Full
from mirrors.jobs.queue.timing import from_now, timing
from mirrors.models import (
    DEFAULT_CLUSTER,
    JobStatus,
    MirrorAttempt,
    MirrorJob,
)

CLAIM_TRIES = 5
"""Each time another job was quicker: mostly it began to probe the same host, and the next claim looks at others."""

_KEPT = ("mapping_id", "max_attempts", "cluster", "namespace", "source_host", "may_wait")
_READ = ("pk", "status", "claims", "attempts", "target_host", *_KEPT)
"""Columns that a claim reads, and those of them that a lease has as they are."""


class _TakenByAnotherError(Exception):
    """Another claim has taken the job, or the right to probe its host, at the same moment."""


def claim(
    *,
    worker: str,
    cluster: str = DEFAULT_CLUSTER,
    only: Collection[int] | None = None,
    besides: Full = NOTHING,
) -> Lease | None:
    """Take the next due job that a worker of this cluster may try, of ``only`` these if given, ``besides`` those of
    namespaces and hosts that have enough; None if there is none.

    The next is the one of the best priority, among these of the namespace with the fewest running copies,
    among these the oldest.
    """
    for _ in range(CLAIM_TRIES):
        with suppress(_TakenByAnotherError), transaction.atomic():
            return _claim(worker, cluster, only, besides)
    return None


def _claim(worker: str, cluster: str, only: Collection[int] | None, besides: Full) -> Lease | None:
    has_limits = host_limits.exist()
    due = claim_order.claimable(only, besides, cluster=cluster, has_limits=has_limits)
    due = due.order_by(*claim_order.order_of_claims())
    # Workers that claim at the same moment take different jobs instead of waiting for one another.
    row = due.select_for_update(skip_locked=True).annotate(may_wait=_may_wait()).values(*_READ).first()
    if row is None:
        return None
    probes = host_limits.begin_probe({row["source_host"], row["target_host"]}) if has_limits else ()
    if probes is None:
        raise _TakenByAnotherError
    return _begin(row, probes, worker, cluster)


def _may_wait() -> ExpressionWrapper[Q]:
    return ExpressionWrapper(Q(created_at__gt=from_now(-timing().wait_for_hosts)), output_field=BooleanField())


def _begin(row: dict[str, Any], probes: tuple[str, ...], worker: str, cluster: str) -> Lease:
    lease = Lease(
        job_id=row["pk"],
        token=uuid.uuid4(),
        number=row["claims"] + 1,
        attempts=row["attempts"] + 1,
        probes=probes,
        worker_cluster=cluster,
        **{name: row[name] for name in _KEPT},
    )
    # As it was read: a database that locks no rows has no other fence.
    if not MirrorJob.objects.filter(pk=lease.job_id, status=row["status"], claims=row["claims"]).update(
        status=JobStatus.RUNNING,
        lease_token=lease.token,
        lease_expires_at=from_now(timing().lease),
        attempts=lease.attempts,
        claims=lease.number,
    ):
        raise _TakenByAnotherError
    if lease.number > 1:
        lose_attempts(lease.job_id)
    MirrorAttempt.objects.create(job_id=lease.job_id, number=lease.number, worker=worker)
    return lease
