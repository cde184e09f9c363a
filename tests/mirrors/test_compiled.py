"""Statements whose SQL is compiled once do what Django's own do, each time with the values of that time."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest
from django.db.models import F
from django.db.models.constants import OnConflict
from django.db.models.functions import Now
from django.utils import timezone

from mirrors.models import ImageMapping, JobProgress, JobStatus, MirrorAttempt, MirrorJob, TargetRepository
from mirrors.models.compiled import Slot, fixed_query, insert, update
from tests.jobs.support import order

pytestmark = pytest.mark.django_db


def test_an_update_changes_the_rows_with_these_values_and_says_how_many() -> None:
    first, second = order("one:1"), order("two:1")
    for job in (first, second):
        token = uuid.uuid4()
        running = {"status": JobStatus.RUNNING, "lease_token": token, "lease_expires_at": timedelta(seconds=60)}
        assert update(MirrorJob, {"id": job.pk, "status": JobStatus.PENDING}, **running) == 1
        job.refresh_from_db()
        assert (job.status, job.lease_token) == (JobStatus.RUNNING, token)
    assert update(MirrorJob, {"id": first.pk, "status": JobStatus.PENDING}, status=JobStatus.FAILED) == 0
    assert MirrorJob.objects.filter(status=JobStatus.RUNNING).count() == 2


def test_a_duration_is_so_long_from_the_time_of_that_update() -> None:
    job = order("app:1")
    for seconds in (-30, 300):
        update(MirrorJob, {"id": job.pk}, available_at=timedelta(seconds=seconds))
        job.refresh_from_db()
        assert abs(job.available_at - timezone.now() - timedelta(seconds=seconds)) < timedelta(seconds=25)


def test_expressions_are_those_of_each_update() -> None:
    job = order("app:1")
    update(MirrorJob, {"id": job.pk}, claims=F("claims") + 1)
    update(MirrorJob, {"id": job.pk}, claims=F("claims") + 1)
    update(MirrorJob, {"id": job.pk}, claims=F("claims") + 40)
    update(MirrorJob, {"id": job.pk}, finished_at=Now())
    update(MirrorJob, {"id": job.pk}, cancel_requested_at=None)
    job.refresh_from_db()
    assert job.claims == 42
    assert job.finished_at is not None


def test_lists_and_texts_are_stored_as_they_are() -> None:
    mapping = order("app:1").mapping
    for platforms in (["linux/amd64"], ["100 %s", "it's"], []):
        update(ImageMapping, {"id": mapping.pk}, platforms=platforms, source_digest="100% 'sha'")
        mapping.refresh_from_db()
        assert (mapping.platforms, mapping.source_digest) == (platforms, "100% 'sha'")


def test_a_row_gets_the_defaults_of_its_model() -> None:
    job = order("app:1")
    for number in (1, 2):
        insert(MirrorAttempt, job_id=job.pk, number=number, worker="tests")
    rows = MirrorAttempt.objects.filter(job=job).order_by("number")
    assert [(row.number, row.outcome, row.finished_at) for row in rows] == [(1, "running", None), (2, "running", None)]
    assert all(abs(row.started_at - timezone.now()) < timedelta(seconds=60) for row in rows)


def test_a_row_that_exists_takes_the_columns_that_are_renewed() -> None:
    job = order("app:1")
    for copied, blobs in ((1, []), (2, [{"digest": "sha256:1"}])):
        insert(
            JobProgress,
            on_conflict=OnConflict.UPDATE,
            unique="job",
            renew=["bytes_copied", "moving"],
            job_id=job.pk,
            bytes_copied=copied,
            bytes_total=10 * copied,
            moving=blobs,
        )
    found = JobProgress.objects.get(job=job)
    assert (found.bytes_copied, found.bytes_total, found.moving) == (2, 10, [{"digest": "sha256:1"}])


def test_a_row_that_exists_is_left_where_that_is_wanted() -> None:
    registry = order("app:1").mapping.target_registry
    for _ in range(2):
        insert(TargetRepository, on_conflict=OnConflict.IGNORE, registry_id=registry.pk, name="team/app")
    assert TargetRepository.objects.filter(registry=registry, name="team/app").count() == 1


def test_a_query_finds_what_it_is_asked_for_each_time() -> None:
    jobs = [order(f"app-{number}:1") for number in range(3)]
    sources = fixed_query(lambda *keys: _sources(*keys))
    assert sources(jobs[0].pk) == [(jobs[0].mapping.source,)]
    assert sources(jobs[1].pk) == [(jobs[1].mapping.source,)]
    assert sources(jobs[1].pk, jobs[2].pk) == [(job.mapping.source,) for job in jobs[1:]]


def _sources(*keys: Slot):  # type: ignore[no-untyped-def]
    return MirrorJob.objects.filter(pk__in=keys).order_by("pk").values_list("mapping__source")
