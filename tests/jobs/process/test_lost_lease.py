"""A worker that has no connection to the database but still reaches both registries: what it is not allowed to do."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from pytest_django import Settings

from mirrors.demo.images import SampleImage
from mirrors.models import AttemptOutcome, JobStatus, MirrorAttempt, MirrorJob
from tests.jobs.support import config_file, context, drain, draining, load, queue_copy
from tests.support.faulty_registry import FaultyRegistry, after, held, reply
from tests.support.ports import wait_until

BLOB = "GET .*/blobs/"


TAG = "PUT .*/manifests/(?!sha256:)"


@pytest.fixture
def config(
    transactional_db: None, source: FaultyRegistry, target: FaultyRegistry, tmp_path: Path, settings: Settings
) -> Path:
    settings.JOB_TIMING = {**settings.JOB_TIMING, "database_patience": 1.0}
    load(source)
    return config_file(tmp_path, source, target)


def overtaken(
    config: Path, job: MirrorJob, source: FaultyRegistry, *, at: tuple[FaultyRegistry, str], release: threading.Event
) -> SampleImage:
    """Cut off one worker and delay it at a request, while another worker copies a newer image. Return that image."""
    registry, request = at
    with context(config) as cut_off, context(config) as other:

        def has_succeeded_elsewhere() -> bool:
            drain(other)
            return MirrorJob.objects.filter(id=job.id, status=JobStatus.SUCCEEDED).exists()

        cut_off.heartbeat.stop()
        with draining(cut_off):
            wait_until(lambda: registry.count(request), what="the copy")
            newer = load(source, seed=2)
            wait_until(has_succeeded_elsewhere, what="the other worker's copy")
            release.set()
    return newer


def test_a_worker_that_lost_its_lease_does_not_overwrite_the_newer_tag(
    config: Path, source: FaultyRegistry, target: FaultyRegistry
) -> None:
    """The worker can still reach both registries, whatever prevents its access to the database."""
    release = threading.Event()
    source.on(BLOB, held(release), times=1)
    job = queue_copy(f"{source.host}/app:1.0", target=target.host)
    newer = overtaken(config, job, source, at=(source, BLOB), release=release)
    assert list(target.storage.tags.values()) == [newer.root]
    assert MirrorAttempt.objects.filter(job=job).values_list("number", "outcome").order_by("number").first() == (
        1,
        AttemptOutcome.LOST,
    )


def test_a_tag_rejected_with_503_is_not_retried_after_the_lease_is_lost(
    config: Path, source: FaultyRegistry, target: FaultyRegistry
) -> None:
    release = threading.Event()
    target.on(TAG, after(release, reply(503)))
    job = queue_copy(f"{source.host}/app:1.0", target=target.host)
    newer = overtaken(config, job, source, at=(target, TAG), release=release)
    assert list(target.storage.tags.values()) == [newer.root]
    assert target.count(TAG) == 2
