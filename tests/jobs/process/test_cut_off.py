"""A worker that is cut off from the database, and still reaches both registries: what it may not do any more."""

from __future__ import annotations

import threading
from pathlib import Path

from pytest_django import Settings

from mirrors.models import AttemptOutcome, JobStatus, MirrorAttempt, MirrorJob
from tests.jobs.support import config_file, context, drain, draining, load, order
from tests.support.faulty_registry import FaultyRegistry, after, held, reply
from tests.support.ports import wait_until

BLOB = "GET .*/blobs/"


def test_a_worker_that_cannot_renew_its_lease_leaves_the_tag_to_the_one_that_has_the_job_now(
    transactional_db: None, source: FaultyRegistry, target: FaultyRegistry, tmp_path: Path, settings: Settings
) -> None:
    """Whatever keeps it from the database: it may still reach both registries."""
    settings.JOB_TIMING = {**settings.JOB_TIMING, "database_patience": 1.0}
    load(source)
    release = threading.Event()
    source.on(BLOB, held(release), times=1)
    config = config_file(tmp_path, source, target)
    job = order(f"{source.host}/app:1.0", target=target.host)
    with context(config) as cut_off, context(config) as other:

        def has_succeeded_elsewhere() -> bool:
            drain(other)
            return MirrorJob.objects.filter(id=job.id, status=JobStatus.SUCCEEDED).exists()

        cut_off.heartbeat.stop()
        with draining(cut_off):
            wait_until(lambda: source.count(BLOB), what="the copy")
            newer = load(source, seed=2)
            wait_until(has_succeeded_elsewhere, what="the other worker's copy")
            release.set()
    assert list(target.storage.tags.values()) == [newer.root]
    assert MirrorAttempt.objects.filter(job=job).values_list("number", "outcome").order_by("number").first() == (
        1,
        AttemptOutcome.LOST,
    )


def test_a_tag_that_the_target_refused_in_passing_is_left_to_the_worker_that_has_the_job_by_then(
    transactional_db: None, source: FaultyRegistry, target: FaultyRegistry, tmp_path: Path, settings: Settings
) -> None:
    settings.JOB_TIMING = {**settings.JOB_TIMING, "database_patience": 1.0}
    load(source)
    release = threading.Event()
    tag = "PUT .*/manifests/(?!sha256:)"
    target.on(tag, after(release, reply(503)))
    config = config_file(tmp_path, source, target)
    job = order(f"{source.host}/app:1.0", target=target.host)
    with context(config) as cut_off, context(config) as other:

        def has_succeeded_elsewhere() -> bool:
            drain(other)
            return MirrorJob.objects.filter(id=job.id, status=JobStatus.SUCCEEDED).exists()

        cut_off.heartbeat.stop()
        with draining(cut_off):
            wait_until(lambda: target.count(tag), what="the copy's tag")
            newer = load(source, seed=2)
            wait_until(has_succeeded_elsewhere, what="the other worker's copy")
            release.set()
    assert list(target.storage.tags.values()) == [newer.root]
    assert target.count(tag) == 2
