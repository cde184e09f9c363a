"""Verification: only the target is queried, and its content is compared with the recorded digests."""

from __future__ import annotations

import threading

import pytest

from mirrors import services
from mirrors.jobs.context.worker_context import WorkerContext
from mirrors.models import Existence, ImageMapping, JobProgress, JobStatus, MirrorJob, Obstacle, OperatorAction, Trigger
from tests.jobs.support import drain, draining, load, queue_copy, take
from tests.support.faulty_registry import FaultyRegistry, after, held
from tests.support.ports import wait_until


def verified(made: WorkerContext) -> ImageMapping:
    mapping = ImageMapping.objects.get()
    acted = services.verify_mappings(mapping_ids=[mapping.id], requested_by="olga")
    assert [job.trigger for job in acted.jobs] == [Trigger.VERIFY]
    drain(made)
    assert MirrorJob.objects.get(id=acted.jobs[0].id).status == JobStatus.SUCCEEDED
    return ImageMapping.objects.get()


def test_a_verification_records_the_state_of_the_target_and_copies_nothing(
    made: WorkerContext, source: FaultyRegistry, target: FaultyRegistry
) -> None:
    load(source)
    queue_copy(f"{source.host}/app:1.0", target=target.host)
    drain(made)
    copied = ImageMapping.objects.get()
    asked_of_source, written = len(source.requests), target.count("PUT ")

    after = verified(made)
    assert (after.existence, after.obstacle, after.target_digest) == (Existence.PRESENT, "", copied.target_digest)
    assert after.verified_at is not None and copied.verified_at is not None and after.verified_at > copied.verified_at

    other = load(source, tag="2.0", layers=3)
    other.load(target.storage, f"{source.host.replace(':', '_')}/app", "1.0")
    assert verified(made).obstacle == Obstacle.TAMPERED

    target.storage.tags.clear()
    gone = verified(made)
    assert (gone.existence, gone.obstacle) == (Existence.ABSENT, "")
    assert (len(source.requests), target.count("PUT ")) == (asked_of_source, written)


@pytest.mark.parametrize("is_running", [False, True], ids=["queued", "running"])
@pytest.mark.parametrize("by_user", [False, True], ids=["pod", "user"])
def test_a_verification_continues_with_a_copy_that_is_requested_meanwhile(
    made: WorkerContext, source: FaultyRegistry, target: FaultyRegistry, is_running: bool, by_user: bool
) -> None:
    image = load(source)
    queue_copy(f"{source.host}/app:1.0", target=target.host)
    drain(made)
    target.storage.tags.clear()
    mapping, release = ImageMapping.objects.get(), threading.Event()
    (verifying,) = services.verify_mappings(mapping_ids=[mapping.id], requested_by="olga").jobs
    target.on("HEAD .*/manifests/", after(release))

    def request() -> None:
        if not by_user:
            queue_copy(f"{source.host}/app:1.0", target=target.host)
            return
        acted = services.mirror_mappings(mapping_ids=[mapping.id], requested_by="omar")
        assert acted.created_ids == {verifying.id}

    if is_running:
        with draining(made):
            wait_until(lambda: MirrorJob.objects.get(id=verifying.id).status == JobStatus.RUNNING)
            request()
            release.set()
    else:
        request()
        release.set()
        drain(made)

    job = MirrorJob.objects.get(id=verifying.id)
    assert (job.status, job.trigger) == (JobStatus.SUCCEEDED, Trigger.OPERATOR if by_user else Trigger.ADMISSION)
    assert list(target.storage.tags.values()) == [image.root]
    assert MirrorJob.objects.count() == 2
    actions = [note.action for note in OperatorAction.objects.order_by("id")]
    assert actions == (["verify", "mirror"] if by_user else ["verify"])


def test_live_progress_shows_each_blob_in_transfer(
    made: WorkerContext, source: FaultyRegistry, target: FaultyRegistry
) -> None:
    image = load(source, layers=1, layer_bytes=600_000)
    layer = max(image.blobs, key=lambda digest: len(image.blobs[digest]))
    release = threading.Event()
    source.on(f"GET .*/blobs/{layer}", held(release, after=300_000))
    job = queue_copy(f"{source.host}/app:1.0", target=target.host)
    with draining(made):
        wait_until(lambda: bool(JobProgress.objects.filter(job=job).exclude(moving=[])))
        seen = JobProgress.objects.get(job=job)
        release.set()
    assert [blob["digest"] for blob in seen.moving] == [layer]
    assert 0 < seen.moving[0]["sent"] <= 300_000 < seen.moving[0]["size"]
    result = JobProgress.objects.get(job=job)
    assert result.moving == [] and result.bytes_copied == result.bytes_total


@pytest.mark.django_db
def test_mappings_are_forgotten_except_those_with_a_running_job(target: FaultyRegistry) -> None:
    job = queue_copy("registry.example.com/app:1.0", target=target.host)
    busy = queue_copy("registry.example.com/busy:1.0", target=target.host)
    take(only=[busy.id])
    forgotten, refusals = services.forget_mappings(mapping_ids=[job.mapping_id, busy.mapping_id], requested_by="olga")
    assert (forgotten, len(refusals)) == (1, 1)
    assert "cancel its job first" in refusals[0]
    assert [m.source for m in ImageMapping.objects.all()] == ["registry.example.com/busy:1.0"]
