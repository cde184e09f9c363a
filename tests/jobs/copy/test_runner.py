"""A claimed job is copied, and its results are recorded."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.utils import timezone

from mirrors.jobs.context.worker_context import WorkerContext
from mirrors.jobs.copy import copy_outcome
from mirrors.jobs.copy.attempt_log import Attempt
from mirrors.models import AttemptOutcome, ErrorClass, Existence, ImageMapping, JobProgress, JobStatus, MirrorAttempt
from mirrors.oci import Progress
from tests.jobs.support import drain, load, queue_copy, take
from tests.support.faulty_registry import FaultyRegistry


def test_a_copy_records_its_results_in_the_mapping(
    made: WorkerContext, source: FaultyRegistry, target: FaultyRegistry
) -> None:
    image = load(source)
    job = queue_copy(f"{source.host}/app:1.0", target=target.host)
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


@pytest.mark.parametrize(("most", "is_known"), [(64, True), (1, False)])
def test_either_all_or_no_manifests_of_an_index_are_recorded(
    most: int,
    is_known: bool,
    made: WorkerContext,
    source: FaultyRegistry,
    target: FaultyRegistry,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(copy_outcome, "MOST_MANIFESTS", most)
    image = load(source, platforms=("linux/amd64", "linux/arm64"))
    job = queue_copy(f"{source.host}/app:1.0", target=target.host)
    drain(made)

    job.refresh_from_db()
    listed = image.manifests.keys() - {image.root}
    assert len(listed) == 2
    assert set(job.mapping.manifests) == (listed if is_known else set())


def test_no_size_is_recorded_if_the_target_has_the_image_under_another_tag(
    made: WorkerContext, source: FaultyRegistry, target: FaultyRegistry
) -> None:
    image = load(source)
    load(source, tag="2.0")
    for tag, size in (("1.0", image.blob_bytes), ("2.0", None)):
        job = queue_copy(f"{source.host}/app:{tag}", target=target.host)
        drain(made)
        job.refresh_from_db()
        assert (job.mapping.existence, job.mapping.size_bytes) == (Existence.PRESENT, size)


def test_each_claim_records_an_attempt_with_its_log(
    made: WorkerContext, source: FaultyRegistry, target: FaultyRegistry
) -> None:
    load(source)
    job = queue_copy(f"{source.host}/app:1.0", target=target.host)

    drain(made)

    attempt = MirrorAttempt.objects.get(job=job)
    assert (attempt.number, attempt.outcome) == (1, AttemptOutcome.SUCCEEDED)
    assert attempt.finished_at is not None and attempt.bytes_copied > 4_000
    assert f"copying {source.host}/app:1.0" in attempt.log


def test_progress_ends_with_all_bytes_copied(
    made: WorkerContext, source: FaultyRegistry, target: FaultyRegistry
) -> None:
    image = load(source)
    job = queue_copy(f"{source.host}/app:1.0", target=target.host)

    drain(made)

    progress = JobProgress.objects.get(job=job)
    assert progress.bytes_total == progress.bytes_copied == image.blob_bytes
    assert progress.blobs_done == progress.blobs_total == 3


def test_progress_that_was_not_saved_is_saved_with_the_next_update(transactional_db: None) -> None:
    """A stalled copy makes no progress, and without the retry its page would show 0 % until it does."""

    def away(*arguments: Any) -> None:
        raise OperationalError("the connection was closed")

    queue_copy("nginx:1")
    attempt = Attempt(take())
    attempt.reset_progress()
    seen = Progress(bytes_total=10, bytes_copied=5)
    with connection.execute_wrapper(away):
        attempt.progress(seen)
    assert JobProgress.objects.get().bytes_copied == 0
    attempt.progress(seen)
    assert JobProgress.objects.get().bytes_copied == 5


REFUSING = {
    "sqlite": [
        """CREATE TRIGGER refusing BEFORE UPDATE ON {table} WHEN NEW.target_digest <> ''
        BEGIN SELECT RAISE(ABORT, 'value out of range'); END"""
    ],
    "postgresql": [
        """CREATE OR REPLACE FUNCTION refuse() RETURNS trigger AS $$
        BEGIN RAISE EXCEPTION 'value out of range' USING ERRCODE = '22003'; END $$ LANGUAGE plpgsql""",
        """CREATE TRIGGER refusing BEFORE UPDATE ON {table} FOR EACH ROW WHEN (NEW.target_digest <> '')
        EXECUTE FUNCTION refuse()""",
    ],
}


@contextmanager
def refusing_digests() -> Iterator[None]:
    """Make the database refuse each mapping for which a copy has found a digest."""
    table = ImageMapping._meta.db_table
    with connection.cursor() as cursor:
        for statement in REFUSING[connection.vendor]:
            cursor.execute(statement.format(table=table))
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f"DROP TRIGGER refusing{f' ON {table}' if connection.vendor == 'postgresql' else ''}")


@pytest.mark.database
@pytest.mark.django_db(transaction=True)
def test_a_job_fails_immediately_if_the_database_rejects_its_result(
    made: WorkerContext, source: FaultyRegistry, target: FaultyRegistry
) -> None:
    load(source)
    job = queue_copy(f"{source.host}/app:1.0", target=target.host)
    with refusing_digests():
        drain(made)
    job.refresh_from_db()
    assert (job.status, job.error_class, job.attempts) == (JobStatus.FAILED, ErrorClass.INVALID, 1)
    assert "refused to store" in job.error_message
    assert [attempt.outcome for attempt in job.attempt_rows.all()] == [AttemptOutcome.FAILED]
