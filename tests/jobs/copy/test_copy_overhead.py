"""The cost of a short copy in addition to its transfer: statements, requests and idle slots."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connections
from django.db.backends.signals import connection_created

from mirrors.jobs.context.worker_context import WorkerContext
from mirrors.jobs.process.drain import ImageThreads
from mirrors.jobs.queue.leases import Lease
from mirrors.models import JobProgress, JobStatus, MirrorAttempt, MirrorJob
from tests.jobs.support import drain, draining, load, queue_copies, queue_copy, take
from tests.support.faulty_registry import FaultyRegistry, held
from tests.support.ports import wait_until

JOBS = 20
MOST_STATEMENTS = 13.0
"""The limit per job for its image thread: 10 statements, plus those that read operators' registries every 50 ms. It
executed 15 when short copies wrote every change immediately."""


def test_a_short_copy_executes_few_statements(
    made: WorkerContext, source: FaultyRegistry, target: FaultyRegistry
) -> None:
    for number in range(JOBS):
        load(source, f"app{number}", seed=number)
    queue_copies([f"{source.host}/app{number}:1.0" for number in range(JOBS)], target=target.host)
    with counted_statements() as statements:
        drain(made)
    assert MirrorJob.objects.filter(status=JobStatus.SUCCEEDED).count() == JOBS
    assert len(statements) / JOBS < MOST_STATEMENTS


def test_the_blobs_of_a_manifest_are_looked_up_with_one_statement(
    made: WorkerContext, source: FaultyRegistry, target: FaultyRegistry
) -> None:
    load(source, layers=40, layer_bytes=100)
    queue_copy(f"{source.host}/app:1.0", target=target.host)
    with counted_statements(thread="mounts") as statements:
        drain(made)
        assert MirrorJob.objects.get().status == JobStatus.SUCCEEDED
    # One for the index and one for the manifest that it lists.
    assert len([sql for sql in statements if sql.startswith("SELECT DISTINCT")]) == 2


@contextmanager
def counted_statements(thread: str = "image-") -> Iterator[list[str]]:
    """Collect the statements of threads whose name starts with ``thread``, and that open their connections within the
    block."""
    statements: list[str] = []

    def count(execute: Any, sql: str, *arguments: Any) -> Any:
        if threading.current_thread().name.startswith(thread):
            statements.append(sql)
        return execute(sql, *arguments)

    def watch(connection: Any, **_: Any) -> None:
        connection.execute_wrappers.append(count)

    connections.close_all()
    connection_created.connect(watch)
    try:
        yield statements
    finally:
        connection_created.disconnect(watch)
        connections.close_all()


def test_a_first_copy_sends_one_head_request_to_its_source(
    made: WorkerContext, source: FaultyRegistry, target: FaultyRegistry
) -> None:
    load(source)
    queue_copy(f"{source.host}/app:1.0", target=target.host)
    drain(made)
    assert MirrorJob.objects.get().status == JobStatus.SUCCEEDED
    assert source.count("HEAD .*/manifests/1.0") == 1


def test_new_images_of_a_source_without_pull_limits_need_no_head_request(
    made: WorkerContext, source: FaultyRegistry, target: FaultyRegistry
) -> None:
    """The first image of the source shows that it counts no pulls. The digest is compared in any case."""
    for number in range(3):
        load(source, f"app{number}", seed=number)
        queue_copy(f"{source.host}/app{number}:1.0", target=target.host)
        drain(made)
    assert [job.status for job in MirrorJob.objects.all()] == [JobStatus.SUCCEEDED] * 3
    assert [source.count(f"HEAD .*/app{number}/manifests/1.0") for number in range(3)] == [1, 0, 0]
    assert [source.count(f"GET .*/app{number}/manifests/1.0") for number in range(3)] == [1, 1, 1]

    queue_copy(f"{source.host}/app2:1.0", target=target.host)
    drain(made)
    assert source.count("HEAD .*/app2/manifests/1.0") == 1, "what was mirrored before may not have changed"
    assert source.count("GET .*/app2/manifests/1.0") == 1


def test_a_long_copy_writes_its_log_before_it_ends(
    made: WorkerContext, source: FaultyRegistry, target: FaultyRegistry
) -> None:
    load(source)
    release = threading.Event()
    source.on("GET .*/blobs/", held(release), times=10)
    queue_copy(f"{source.host}/app:1.0", target=target.host)
    with draining(made):
        try:
            wait_until(lambda: MirrorAttempt.objects.filter(log__contains="copying").exists(), what="the line")
        finally:
            release.set()


def test_the_progress_of_an_attempt_replaces_that_of_the_previous_one(
    made: WorkerContext, source: FaultyRegistry, target: FaultyRegistry
) -> None:
    job = queue_copy(f"{source.host}/app:1.0", target=target.host, namespace="shop")
    JobProgress.objects.create(job=job, bytes_total=100, bytes_copied=70, blobs_total=3)
    MirrorJob.objects.update(claims=1, attempts=job.max_attempts - 1)

    drain(made)

    assert MirrorJob.objects.get().status == JobStatus.FAILED, "the source has no such image"
    seen = JobProgress.objects.get()
    assert (seen.bytes_total, seen.bytes_copied, seen.blobs_total) == (0, 0, 0)


def test_a_slot_freed_before_the_wait_ends_the_wait_immediately(transactional_db: None) -> None:
    """A claim takes long enough for the next short copy to finish in the meantime."""
    queue_copy("app:1")
    threads = ImageThreads(_nothing)
    threads.start(take())
    wait_until(lambda: not threads.running_leases)
    started = time.monotonic()
    threads.wait(10)
    threads.end()
    assert time.monotonic() - started < 5


def _nothing(lease: Lease) -> None:
    """A copy that finishes immediately."""
