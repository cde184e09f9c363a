"""A claimed job is copied, and all that was learnt is written down."""

from __future__ import annotations

from typing import Any

from django.db import OperationalError, connection
from django.utils import timezone

from mirrors.jobs.attempt import Attempt
from mirrors.jobs.copier import Copier
from mirrors.models import AttemptOutcome, Existence, JobProgress, JobStatus, MirrorAttempt
from mirrors.oci import Progress
from tests.jobs.support import drain, load, order, take
from tests.support.faulty_registry import FaultyRegistry


def test_a_copy_records_what_it_learnt(made: Copier, source: FaultyRegistry, target: FaultyRegistry) -> None:
    image = load(source)
    job = order(f"{source.host}/app:1.0", target=target.host)
    before = timezone.now()

    drain(made)

    job.refresh_from_db()
    assert (job.status, job.error_message, job.attempts) == (JobStatus.SUCCEEDED, "", 1)
    mapping = job.mapping
    assert mapping.existence == Existence.PRESENT
    assert mapping.source_digest == mapping.target_digest == image.root
    assert mapping.verified_at is not None and mapping.source_checked_at is not None
    assert mapping.changed_at.timestamp() > before.timestamp() - 1
    assert mapping.size_bytes == image.blob_bytes
    assert mapping.platforms == ["linux/amd64"]
    assert mapping.access == "anonymous"
    assert target.storage.manifest(f"{source.host.replace(':', '_')}/app", "1.0") is not None


def test_an_image_that_the_target_has_under_another_tag_has_no_size(
    made: Copier, source: FaultyRegistry, target: FaultyRegistry
) -> None:
    image = load(source)
    load(source, tag="2.0")
    for tag, size in (("1.0", image.blob_bytes), ("2.0", None)):
        job = order(f"{source.host}/app:{tag}", target=target.host)
        drain(made)
        job.refresh_from_db()
        assert (job.mapping.existence, job.mapping.size_bytes) == (Existence.PRESENT, size)


def test_each_claim_leaves_an_attempt_with_its_log(
    made: Copier, source: FaultyRegistry, target: FaultyRegistry
) -> None:
    load(source)
    job = order(f"{source.host}/app:1.0", target=target.host)

    drain(made)

    attempt = MirrorAttempt.objects.get(job=job)
    assert (attempt.number, attempt.outcome) == (1, AttemptOutcome.SUCCEEDED)
    assert attempt.finished_at is not None and attempt.bytes_copied > 4_000
    assert f"copying {source.host}/app:1.0" in attempt.log


def test_progress_ends_at_all_bytes(made: Copier, source: FaultyRegistry, target: FaultyRegistry) -> None:
    image = load(source)
    job = order(f"{source.host}/app:1.0", target=target.host)

    drain(made)

    progress = JobProgress.objects.get(job=job)
    assert progress.bytes_total == progress.bytes_copied == image.blob_bytes
    assert progress.blobs_done == progress.blobs_total == 3


def test_progress_that_could_not_be_written_is_written_with_the_next_update(transactional_db: None) -> None:
    """A stalled copy moves no further, and its page would say 0 % until it does."""

    def away(*arguments: Any) -> None:
        raise OperationalError("the connection was closed")

    order("nginx:1")
    attempt = Attempt(take())
    attempt.start()
    seen = Progress(bytes_total=10, bytes_copied=5)
    with connection.execute_wrapper(away):
        attempt.progress(seen)
    assert JobProgress.objects.get().bytes_copied == 0
    attempt.progress(seen)
    assert JobProgress.objects.get().bytes_copied == 5
