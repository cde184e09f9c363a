"""A drain: jobs by priority, many at a time, until none is left, with stops and cancellations."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from django.db import transaction
from django_q.models import OrmQ

from mirrors.jobs.context.worker_context import WorkerContext
from mirrors.jobs.timing import from_now
from mirrors.models import AttemptOutcome, BlobLocation, JobStatus, MirrorAttempt, MirrorJob, Priority
from mirrors.services import cancel_job
from tests.jobs.support import config_file, context, drain, draining, expire, load, queue_copies, queue_copy, take
from tests.support.faulty_registry import FaultyRegistry, held
from tests.support.ports import wait_until

BLOB = "GET .*/blobs/"


def status(job: MirrorJob) -> Callable[[], str]:
    return lambda: MirrorJob.objects.values_list("status", flat=True).get(id=job.id)


def has_status(job: MirrorJob, wanted: str) -> Callable[[], bool]:
    return lambda: status(job)() == wanted


def test_many_images_are_copied_concurrently(
    made: WorkerContext, source: FaultyRegistry, target: FaultyRegistry
) -> None:
    release = threading.Event()
    for number in range(6):
        load(source, tag=str(number), seed=number)
    source.on(BLOB, held(release), times=100)
    jobs = queue_copies([f"{source.host}/app:{number}" for number in range(6)], target=target.host)
    with draining(made):
        wait_until(lambda: MirrorJob.objects.filter(status=JobStatus.RUNNING).count() == len(jobs), what="all copies")
        release.set()
    assert MirrorJob.objects.filter(status=JobStatus.SUCCEEDED).count() == len(jobs)


def test_an_image_of_high_priority_is_copied_next(
    transactional_db: None, source: FaultyRegistry, target: FaultyRegistry, tmp_path: Path
) -> None:
    release = threading.Event()
    for number in range(5):
        load(source, tag=str(number), seed=number)
    source.on(BLOB, held(release))
    queue_copies([f"{source.host}/app:{number}" for number in range(4)], target=target.host)
    with context(config_file(tmp_path, source, target, copy={"images": 1})) as made, draining(made):
        wait_until(lambda: source.count(BLOB), what="the first copy")
        queue_copy(f"{source.host}/app:4", target=target.host, priority=Priority.IMMEDIATE)
        release.set()
    started = MirrorAttempt.objects.order_by("id").values_list("job__mapping__source", flat=True)
    assert [name.rpartition(":")[2] for name in started] == ["0", "4", "1", "2", "3"]


def test_a_long_layer_does_not_delay_other_copies(
    made: WorkerContext, source: FaultyRegistry, target: FaultyRegistry
) -> None:
    release = threading.Event()
    load(source, tag="long", seed=1)
    source.on(BLOB, held(release))
    long = queue_copy(f"{source.host}/app:long", target=target.host)
    with draining(made):
        wait_until(lambda: source.count(BLOB), what="the long copy")
        for number in range(3):
            load(source, tag=str(number), seed=10 + number)
            short = queue_copy(f"{source.host}/app:{number}", target=target.host)
            wait_until(has_status(short, JobStatus.SUCCEEDED), what="a short copy beside the long one")
        assert status(long)() == JobStatus.RUNNING
        release.set()
    assert status(long)() == JobStatus.SUCCEEDED


def test_a_pending_job_is_cancelled_without_any_request(
    made: WorkerContext, source: FaultyRegistry, target: FaultyRegistry
) -> None:
    job = queue_copy(f"{source.host}/app:1.0", target=target.host)
    cancel_job(job_id=job.id, requested_by="ann")
    drain(made)
    assert status(job)() == JobStatus.CANCELLED
    assert source.requests == []


def test_a_running_copy_stops_when_it_is_cancelled(
    made: WorkerContext, source: FaultyRegistry, target: FaultyRegistry
) -> None:
    load(source)
    source.on(BLOB, held(source.closing), times=100)
    job = queue_copy(f"{source.host}/app:1.0", target=target.host)
    with draining(made):
        wait_until(lambda: source.count(BLOB), what="the copy")
        cancel_job(job_id=job.id, requested_by="ann")
        wait_until(has_status(job, JobStatus.CANCELLED), what="the cancelled copy's end")
    job.refresh_from_db()
    assert (job.status, job.error_message) == (JobStatus.CANCELLED, "Cancelled by ann.")
    assert MirrorAttempt.objects.get(job=job).outcome == AttemptOutcome.CANCELLED
    assert target.storage.tags == {}


def test_a_copy_that_lost_its_lease_stops_and_does_not_change_the_job(
    made: WorkerContext, source: FaultyRegistry, target: FaultyRegistry
) -> None:
    load(source)
    source.on(BLOB, held(source.closing), times=100)
    job = queue_copy(f"{source.host}/app:1.0", target=target.host)
    with draining(made):
        wait_until(lambda: source.count(BLOB), what="the copy")
        taken = _steal(job)
    job.refresh_from_db()
    assert (job.status, job.lease_token) == (JobStatus.RUNNING, taken)
    outcomes = MirrorAttempt.objects.filter(job=job).order_by("number").values_list("outcome", flat=True)
    assert list(outcomes) == [AttemptOutcome.LOST, AttemptOutcome.RUNNING]


def _steal(job: MirrorJob) -> object:
    """Take over the job, as another worker does after the lease has expired by the database's clock."""
    with transaction.atomic():
        MirrorJob.objects.filter(id=job.id).update(lease_expires_at=from_now(-1))
        other = take()
        MirrorJob.objects.filter(id=job.id).update(lease_expires_at=from_now(600))
    return other.token


def test_a_stopped_drain_hands_its_jobs_back(
    made: WorkerContext, source: FaultyRegistry, target: FaultyRegistry
) -> None:
    load(source)
    source.on(BLOB, held(source.closing), times=100)
    job = queue_copy(f"{source.host}/app:1.0", target=target.host)
    stop = threading.Event()
    OrmQ.objects.all().delete()
    with draining(made, stop.is_set):
        wait_until(lambda: source.count(BLOB), what="the copy")
        stop.set()
    job.refresh_from_db()
    assert (job.status, job.attempts, job.claims) == (JobStatus.PENDING, 0, 1)
    assert MirrorAttempt.objects.get(job=job).outcome == AttemptOutcome.HANDED_BACK
    assert OrmQ.objects.exists(), "no wake-up for the job that was released"


def test_heartbeats_renew_the_lease_of_a_long_copy(
    made: WorkerContext, source: FaultyRegistry, target: FaultyRegistry
) -> None:
    load(source)
    release = threading.Event()
    source.on(BLOB, held(release), times=100)
    job = queue_copy(f"{source.host}/app:1.0", target=target.host)
    with draining(made):
        wait_until(lambda: source.count(BLOB), what="the copy")
        job.refresh_from_db()
        first = job.lease_expires_at
        assert first is not None
        renewed = MirrorJob.objects.filter(id=job.id, lease_expires_at__gt=first)
        wait_until(renewed.exists, what="a renewed lease")
        release.set()
    assert status(job)() == JobStatus.SUCCEEDED


def test_a_drain_queues_a_wakeup_for_jobs_that_are_due_later(made: WorkerContext, source: FaultyRegistry) -> None:
    job = queue_copy(f"{source.host}/app:1.0")
    MirrorJob.objects.filter(id=job.id).update(available_at=from_now(600))
    OrmQ.objects.all().delete()
    drain(made)
    assert OrmQ.objects.filter(lock__gt=from_now(590)).count() == 1


def test_a_job_with_an_expired_lease_is_claimed_again(
    made: WorkerContext, source: FaultyRegistry, target: FaultyRegistry
) -> None:
    load(source)
    job = queue_copy(f"{source.host}/app:1.0", target=target.host)
    expire(take())
    drain(made)
    job.refresh_from_db()
    assert (job.status, job.attempts) == (JobStatus.SUCCEEDED, 2)


def test_changed_copy_settings_are_applied(
    transactional_db: None, source: FaultyRegistry, target: FaultyRegistry, tmp_path: Path
) -> None:
    load(source, layer_bytes=800_000)
    config = config_file(tmp_path, source, target)
    with context(config) as made:
        config_file(tmp_path, source, target, copy={"maxImageBytes": "1MiB"})
        job = queue_copy(f"{source.host}/app:1.0", target=target.host)
        wait_until(lambda: made.config.copy_.max_image_bytes == 1 << 20, what="the changed configuration")
        drain(made)
    job.refresh_from_db()
    assert (job.status, job.error_class) == (JobStatus.FAILED, "too-large")


def test_a_configured_dry_run_does_not_stop_a_queued_job(
    transactional_db: None, source: FaultyRegistry, target: FaultyRegistry, tmp_path: Path
) -> None:
    load(source)
    job = queue_copy(f"{source.host}/app:1.0", target=target.host)
    with context(config_file(tmp_path, source, target, dryRun=True)) as made:
        drain(made)
    assert status(job)() == JobStatus.SUCCEEDED
    assert "dryRun" in MirrorAttempt.objects.get(job=job).log


def test_a_blob_copied_by_another_worker_is_mounted(
    transactional_db: None, source: FaultyRegistry, target: FaultyRegistry, tmp_path: Path
) -> None:
    """The locations of blobs are stored in the database, so a new process can use them."""
    load(source, "one")
    load(source, "two")
    config = config_file(tmp_path, source, target)
    for repository in ("one", "two"):
        job = queue_copy(f"{source.host}/{repository}:1.0", target=target.host)
        with context(config) as made:
            drain(made)
        job.refresh_from_db()
        assert job.status == JobStatus.SUCCEEDED
        # Three blobs, an index and its manifest.
        assert BlobLocation.objects.filter(repository__endswith="/one").count() == 5
    assert source.count("GET /v2/two/blobs/") == 0
    assert target.count("POST .*two/blobs/uploads/.*mount=.*from=") == 3
