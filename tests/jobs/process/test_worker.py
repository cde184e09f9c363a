"""Real worker processes: they copy, can be killed, stop in time, and copy nothing twice."""

from __future__ import annotations

import json
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from mirrors.jobs.queue.liveness import HEARTBEAT_FILE
from mirrors.models import AttemptOutcome, Instance, JobStatus, MirrorAttempt, MirrorJob, MirrorRequest
from tests.jobs.processes import FAST, race, worker
from tests.jobs.support import config_file, load, queue_copies, queue_copy, target_row
from tests.support.faulty_registry import HELD_SECONDS, FaultyRegistry, hang, held
from tests.support.ports import wait_until

pytestmark = pytest.mark.django_db(transaction=True)

BLOB = "GET .*/blobs/"
STEADY = {"TEST_JOB_TIMING": json.dumps({**FAST, "lease": 60.0, "hand_back_within": 15.0, "stop_within": 25.0})}
"""The product's own times for a stop, and a lease that does not expire while a worker waits for a processor."""


@pytest.fixture
def config(source: FaultyRegistry, target: FaultyRegistry, tmp_path: Path) -> Path:
    return config_file(tmp_path, source, target)


def ended(job: MirrorJob) -> Callable[[], bool]:
    return MirrorJob.objects.filter(id=job.id, status__in=MirrorJob.TERMINAL).exists


def test_the_copy_of_a_killed_worker_is_retried_by_another_worker(
    source: FaultyRegistry, target: FaultyRegistry, config: Path, tmp_path: Path
) -> None:
    load(source)
    source.on(BLOB, held(source.closing), times=3)
    job = queue_copy(f"{source.host}/app:1.0", target=target.host)
    with worker(config, tmp_path / "first") as first:
        wait_until(lambda: source.count(BLOB) == 3, what="the copy")
        first.stop(signal.SIGKILL)
    job.refresh_from_db()
    assert job.status == JobStatus.RUNNING, "nobody knows yet"

    with worker(config, tmp_path / "second"):
        wait_until(ended(job), what="the end of the job")

    job.refresh_from_db()
    assert (job.status, job.attempts) == (JobStatus.SUCCEEDED, 2)
    outcomes = MirrorAttempt.objects.filter(job=job).order_by("number").values_list("outcome", flat=True)
    assert list(outcomes) == [AttemptOutcome.LOST, AttemptOutcome.SUCCEEDED]


def test_a_stopped_worker_hands_its_copies_back(
    source: FaultyRegistry, target: FaultyRegistry, config: Path, tmp_path: Path
) -> None:
    for number in range(2):
        load(source, tag=str(number), seed=number)
    source.on(BLOB, held(source.closing), times=6)
    jobs = queue_copies([f"{source.host}/app:{number}" for number in range(2)], target=target.host)
    with worker(config, tmp_path / "first", **STEADY) as first:
        wait_until(lambda: source.count(BLOB) == 6, what="the copies")
        assert first.stop(signal.SIGTERM, timeout=HELD_SECONDS / 2) == 0, "it does not wait for what is held"

    for job in MirrorJob.objects.all():
        assert (job.status, job.attempts, job.lease_token) == (JobStatus.PENDING, 0, None)
    assert set(MirrorAttempt.objects.values_list("outcome", flat=True)) == {AttemptOutcome.HANDED_BACK}

    with worker(config, tmp_path / "second"):
        wait_until(lambda: all(ended(job)() for job in jobs), what="the end of all jobs")
    assert MirrorJob.objects.filter(status=JobStatus.SUCCEEDED, attempts=1).count() == 2


def test_a_worker_stops_in_time_while_a_registry_does_not_respond(
    source: FaultyRegistry, target: FaultyRegistry, config: Path, tmp_path: Path
) -> None:
    """The image's thread waits for a response that does not come, and cannot check whether to stop."""
    load(source)
    source.on("HEAD .*/manifests/", hang, times=10)
    job = queue_copy(f"{source.host}/app:1.0", target=target.host)
    with worker(config, tmp_path / "worker") as running:
        wait_until(lambda: source.count("HEAD .*/manifests/"), what="the copy")
        started = time.monotonic()
        running.stop(signal.SIGTERM)
        assert time.monotonic() - started < 15
    job.refresh_from_db()
    assert (job.status, job.attempts) == (JobStatus.PENDING, 0)


def test_ten_concurrent_requests_and_two_workers_make_one_copy(
    source: FaultyRegistry, target: FaultyRegistry, config: Path, tmp_path: Path
) -> None:
    load(source)
    release = threading.Event()
    source.on(BLOB, held(release), times=100)
    with worker(config, tmp_path / "first"), worker(config, tmp_path / "second"):
        image = f"{source.host}/app:1.0"
        ids = race("order", 10, image, target.host, config=config, directory=tmp_path)
        assert len(set(ids)) == 1
        job = MirrorJob.objects.get()
        release.set()
        wait_until(ended(job), what="the end of the job")
    job.refresh_from_db()
    assert (job.status, job.attempts) == (JobStatus.SUCCEEDED, 1)
    assert MirrorRequest.objects.filter(job=job).count() == 10
    assert source.count(BLOB) == 3, "each blob is fetched once"
    assert target.count("PUT .*/manifests/1.0") == 1


def test_one_of_several_concurrent_requests_for_an_image_creates_the_job(config: Path, tmp_path: Path) -> None:
    target_row()
    responses = race("person", 8, "nginx:1.27", config=config, directory=tmp_path)
    assert len({job for job, _ in responses}) == 1
    assert [is_new for _, is_new in responses].count(True) == 1


def test_concurrent_workers_claim_each_job_once(
    source: FaultyRegistry, target: FaultyRegistry, config: Path, tmp_path: Path
) -> None:
    jobs = queue_copies([f"app:{number}" for number in range(40)])
    taken = race("claim", 6, config=config, directory=tmp_path, TEST_JOB_TIMING=json.dumps({**FAST, "lease": 60}))
    assert sorted(sum(taken, [])) == sorted(job.id for job in jobs)
    assert MirrorAttempt.objects.count() == 40


def test_a_busy_worker_renews_its_heartbeat_file(
    source: FaultyRegistry, target: FaultyRegistry, tmp_path: Path
) -> None:
    """Both processes are busy with a slow source, and more wake-ups wait than the queue holds."""
    config = config_file(tmp_path, source, target, copy={"images": 1})
    for number in range(6):
        load(source, tag=str(number), seed=number)
    source.on(BLOB, held(source.closing), times=100)
    with worker(config, tmp_path / "worker"):
        for number in range(6):
            queue_copy(f"{source.host}/app:{number}", target=target.host)
        running = MirrorJob.objects.filter(status=JobStatus.RUNNING)
        wait_until(lambda: running.count() == 2, what="two busy processes")
        sign = tmp_path / "worker" / HEARTBEAT_FILE
        signs: set[int] = set()

        def more_signs() -> bool:
            signs.add(sign.stat().st_mtime_ns)
            return len(signs) > 5

        wait_until(more_signs, what="signs of life")
        assert running.count() == 2


def test_a_worker_registers_its_instance_and_removes_it_on_sigterm(config: Path, tmp_path: Path) -> None:
    with worker(config, tmp_path / "worker") as running:
        wait_until(lambda: Instance.objects.filter(role="worker").exists(), what="its report")
        running.stop(signal.SIGTERM)
    assert not Instance.objects.exists()
