"""Hosts that limit requests for a short time: all workers wait, and copies of low priority wait longer than others."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.db.models import F

from mirrors.images import ImageRef
from mirrors.jobs.context.worker_context import WorkerContext
from mirrors.jobs.limits import host_limits
from mirrors.jobs.queue.claim_order import claimable, next_due_at
from mirrors.models import HostBudget, JobStatus, Priority
from mirrors.services import resume_hosts
from tests.jobs.support import config_file, context, drain, load, queue_copy
from tests.support.faulty_registry import FaultyRegistry, reply
from tests.support.ports import wait_until

TARGET = "mirror.example.com:5000"
ALL = set(Priority)


@pytest.fixture
def other(
    made: WorkerContext, source: FaultyRegistry, target: FaultyRegistry, tmp_path: Path
) -> Iterator[WorkerContext]:
    """A second worker next to ``made``, with its own engine and connections."""
    (tmp_path / "other").mkdir()
    with context(config_file(tmp_path / "other", source, target)) as ready:
        yield ready


def head(worker: WorkerContext, source: FaultyRegistry) -> None:
    ref = ImageRef(source.host, "app", "1.0")
    assert worker.engine.head(ref, worker.catalog().anonymous_access_for(ref)) is not None


def test_an_operator_ends_a_pause_that_workers_wait_for(
    made: WorkerContext, other: WorkerContext, source: FaultyRegistry
) -> None:
    """The pause ends for the request that was limited, for a request queued behind it, and for another worker."""
    load(source)
    head(other, source)
    source.on("HEAD .*", reply(429, Retry_After="50"))
    waiting = [threading.Thread(target=head, args=(worker, source), daemon=True) for worker in (made, made, other)]
    waiting[0].start()
    wait_until(lambda: HostBudget.objects.briefly_limited().exists(), what="the pause in the database")
    for thread in waiting[1:]:
        thread.start()

    resume_hosts(host_ids=[HostBudget.objects.get().pk], requested_by="olga")

    for thread in waiting:
        thread.join(20)
    assert not any(thread.is_alive() for thread in waiting)


def test_a_host_that_limits_one_worker_gets_no_requests_from_others(
    made: WorkerContext, other: WorkerContext, source: FaultyRegistry
) -> None:
    load(source)
    head(other, source)
    source.on("HEAD .*", reply(429, Retry_After="3"))
    limited_at = time.monotonic()
    waiting = threading.Thread(target=head, args=(made, source))
    waiting.start()
    wait_until(lambda: HostBudget.objects.briefly_limited().exists(), timeout=2, what="the pause in the database")

    times: list[float] = []
    while time.monotonic() < limited_at + 3.5:
        head(other, source)
        times.append(time.monotonic() - limited_at)
    waiting.join(10)

    assert [at for at in times if 1.5 < at < 2.9] == []
    assert times[-1] > 3, "the other worker continues after the pause"


def claimed_priorities() -> set[int]:
    return set(claimable().values_list("priority", flat=True))


def later(seconds: float) -> None:
    """Change the rows as if this time had passed."""
    HostBudget.objects.update(held_until=F("held_until") - timedelta(seconds=seconds))


@pytest.mark.django_db
def test_a_limited_target_postpones_refreshes_first_and_pods_never() -> None:
    for priority in sorted(ALL):
        queue_copy(f"quay.io/org/app:{priority}", target=TARGET, priority=priority)
    pods = {Priority.FORCE, Priority.IMMEDIATE}

    host_limits.limit_briefly(TARGET, 2)
    assert claimed_priorities() == ALL - {Priority.REFRESH}
    host_limits.limit_briefly(TARGET, 2)
    assert claimed_priorities() == ALL - {Priority.REFRESH}, "one burst is one reason to wait"
    later(10)
    host_limits.limit_briefly(TARGET, 2)
    assert claimed_priorities() == pods | {Priority.OPERATOR, Priority.DELAYED}, "then what a backfill brings"
    later(10)
    host_limits.limit_briefly(TARGET, 2)
    assert claimed_priorities() == pods | {Priority.OPERATOR}
    for _ in range(3):
        later(10)
        host_limits.limit_briefly(TARGET, 2)
        assert claimed_priorities() == pods
    assert next_due_at() is not None, "nobody would wake up for those that wait"
    later(61)
    assert claimed_priorities() == ALL
    host_limits.limit_briefly(TARGET, 2)
    assert claimed_priorities() == ALL - {Priority.REFRESH}, "it starts again with the refreshes"


@pytest.mark.django_db
def test_a_limited_source_postpones_no_priority() -> None:
    queue_copy("quay.io/org/app:1", target=TARGET, priority=Priority.REFRESH)
    host_limits.limit_briefly("quay.io", 2)
    assert claimed_priorities() == {Priority.REFRESH}


@pytest.mark.django_db
def test_an_operator_ends_the_pause_and_the_wait_of_low_priorities() -> None:
    queue_copy("quay.io/org/app:1", target=TARGET, priority=Priority.REFRESH)
    host_limits.limit_briefly(TARGET, 30)
    assert 25 < host_limits.seconds_until_free([TARGET])[TARGET] <= 30
    assert resume_hosts(host_ids=[HostBudget.objects.get().pk], requested_by="ann") == 1
    assert (host_limits.seconds_until_free([TARGET]), claimed_priorities()) == ({}, {Priority.REFRESH})


def test_a_target_that_limits_requests_postpones_only_the_refresh(
    made: WorkerContext, source: FaultyRegistry, target: FaultyRegistry
) -> None:
    for tag in ("1", "2"):
        load(source, tag=tag, seed=int(tag))
    target.on("POST .*/blobs/uploads/", reply(429, Retry_After="1"))
    job = queue_copy(f"{source.host}/app:1", target=target.host)
    drain(made)
    wait_until(
        lambda: HostBudget.objects.limited_for_low_priority().exists(), timeout=5, what="the wait in the database"
    )
    refresh = queue_copy(f"{source.host}/app:2", target=target.host, priority=Priority.REFRESH)
    drain(made)
    for each, status in ((job, JobStatus.SUCCEEDED), (refresh, JobStatus.PENDING)):
        each.refresh_from_db()
        assert each.status == status
