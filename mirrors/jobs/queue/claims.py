"""Claims: a worker takes the next job that is due, and gets the lease of it."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from contextlib import suppress
from typing import Any

from django.db import transaction

from mirrors.jobs.limits import host_limits
from mirrors.jobs.limits.shares import NOTHING_FULL, Full
from mirrors.jobs.queue import claim_search
from mirrors.jobs.queue.leases import Lease, take_over
from mirrors.jobs.timing import from_now, timing
from mirrors.models import (
    DEFAULT_CLUSTER,
    JobStatus,
    MirrorAttempt,
    MirrorJob,
)

CLAIM_TRIES = 5
"""Each time another job was quicker: mostly it began to probe the same host, and the next claim looks at others."""


class _TakenByAnotherError(Exception):
    """Another claim has taken the job, or the right to probe its host, at the same moment."""


def claim(
    *,
    worker: str,
    cluster: str = DEFAULT_CLUSTER,
    only: Collection[int] | None = None,
    besides: Full = NOTHING_FULL,
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
    row = claim_search.next_job(cluster, only, besides, has_limits=has_limits)
    if row is None:
        return None
    probes = host_limits.begin_probe({row["source_host"], row["target_host"]}) if has_limits else ()
    if probes is None:
        raise _TakenByAnotherError
    return _begin(row, probes, worker, cluster)


def _begin(row: dict[str, Any], probes: tuple[str, ...], worker: str, cluster: str) -> Lease:
    lease = Lease(
        job_id=row["id"],
        token=uuid.uuid4(),
        number=row["claims"] + 1,
        attempts=row["attempts"] + 1,
        probes=probes,
        worker_cluster=cluster,
        **{name: row[name] for name in claim_search.LEASE_COLUMNS},
    )
    # As it was read: a database that locks no rows has no other fence.
    as_read = MirrorJob.objects.filter(pk=lease.job_id, status=row["status"], claims=row["claims"])
    fields = {
        "status": JobStatus.RUNNING,
        "lease_token": lease.token,
        "lease_expires_at": from_now(timing().lease),
        "attempts": lease.attempts,
        "claims": lease.number,
    }
    # A job that was claimed before may be one whose worker has stopped.
    is_taken = take_over(as_read, lease.job_id, **fields) if row["claims"] else as_read.update(**fields)
    if not is_taken:
        raise _TakenByAnotherError
    MirrorAttempt.objects.create(job_id=lease.job_id, number=lease.number, worker=worker)
    return lease
