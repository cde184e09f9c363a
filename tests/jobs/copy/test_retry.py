"""Failures: which are retried and when, which fail a job immediately, and what an operator reads."""

from __future__ import annotations

import uuid
from datetime import timedelta
from pathlib import Path

import pytest
from django.db.models.functions import Now
from django.utils import timezone
from django_q.models import OrmQ
from pytest_django import Settings

from mirrors.jobs.context.worker_context import WorkerContext
from mirrors.jobs.copy.failures import Failure, classify_failure, delay_after
from mirrors.jobs.queue.claim_order import claimable
from mirrors.jobs.queue.leases import Lease
from mirrors.models import AttemptOutcome, ErrorClass, HostBudget, ImageMapping, JobStatus, MirrorAttempt, MirrorJob
from mirrors.oci import RegistryError
from tests.jobs.support import FAST, config_file, context, drain, load, queue_copy
from tests.support.faulty_registry import FaultyRegistry, reply


def lease(attempts: int) -> Lease:
    return Lease(1, 1, uuid.uuid4(), attempts, attempts, 10)


def passing(retry_after: float | None = None) -> Failure:
    return Failure("unavailable", "away", permanent=False, host="quay.io", retry_after=retry_after)


def test_retry_delays_grow_up_to_a_cap_with_jitter(settings: Settings) -> None:
    settings.JOB_TIMING = {"retry_base": 20.0, "retry_cap": 100.0}
    for attempts, longest in [(1, 20.0), (2, 40.0), (3, 80.0), (4, 100.0), (9, 100.0)]:
        delays = [delay_after(lease(attempts), passing()) for _ in range(200)]
        assert longest / 2 <= min(delays) < 0.65 * longest, "not jittered"
        assert 0.85 * longest < max(delays) <= longest


def test_no_attempt_starts_before_the_retry_after_of_the_host() -> None:
    assert delay_after(lease(1), passing(retry_after=3_600)) >= 3_600


@pytest.mark.parametrize(
    ("code", "permanent"),
    [("not-found", True), ("denied", True), ("bad-digest", True), ("unsupported", True), ("unavailable", False)],
)
def test_registry_errors_keep_their_class_and_permanence(code: str, permanent: bool) -> None:
    failure = classify_failure(RegistryError(code, "what happened", host="quay.io"))  # type: ignore[arg-type]
    assert (failure.error_class, failure.permanent, failure.message) == (code, permanent, "what happened")
    assert code in ErrorClass.values


def test_a_missing_image_fails_immediately_with_advice(
    made: WorkerContext, source: FaultyRegistry, target: FaultyRegistry
) -> None:
    job = queue_copy(f"{source.host}/app:missing", target=target.host)

    drain(made)

    job.refresh_from_db()
    assert (job.status, job.error_class, job.attempts) == (JobStatus.FAILED, ErrorClass.NOT_FOUND, 1)
    assert f"{source.host}/app:missing" in job.error_message and "check" in job.error_message
    assert job.finished_at is not None
    assert MirrorAttempt.objects.get(job=job).outcome == AttemptOutcome.FAILED


def test_a_temporary_failure_is_retried(
    transactional_db: None, source: FaultyRegistry, target: FaultyRegistry, tmp_path: Path, settings: Settings
) -> None:
    """The password file is mounted a moment late."""
    # Even on a slow machine, the second attempt waits for the file.
    settings.JOB_TIMING = {**FAST, "retry_base": 300.0, "retry_cap": 300.0}
    load(source)
    password = tmp_path / "password"
    entry = {"username": "me", "passwordFile": str(password)}
    with context(config_file(tmp_path, source, target, entry=entry)) as made:
        job = queue_copy(f"{source.host}/app:1.0", target=target.host)
        drain(made)
        job.refresh_from_db()
        assert (job.error_class, job.status, job.attempts) == (ErrorClass.CREDENTIAL, JobStatus.PENDING, 1)
        password.write_text("secret")
        MirrorJob.objects.update(available_at=Now())
        drain(made)
        job.refresh_from_db()
    assert (job.status, job.error_class, job.error_message) == (JobStatus.SUCCEEDED, "", "")
    outcomes = MirrorAttempt.objects.filter(job=job).order_by("number").values_list("outcome", flat=True)
    assert list(outcomes) == [AttemptOutcome.FAILED, AttemptOutcome.SUCCEEDED]


def test_an_unexpected_error_is_retried_until_no_attempts_are_left(
    made: WorkerContext, source: FaultyRegistry, target: FaultyRegistry
) -> None:
    job = queue_copy(f"{source.host}/app:1.0", target=target.host)
    ImageMapping.objects.update(target="no reference at all")

    while job.status != JobStatus.FAILED:
        drain(made)
        job.refresh_from_db()

    assert (job.error_class, job.attempts) == (ErrorClass.INTERNAL, job.max_attempts)
    assert MirrorAttempt.objects.filter(job=job).count() == job.max_attempts
    attempt = MirrorAttempt.objects.filter(job=job)[0]
    assert "Traceback" in attempt.log and "InvalidReferenceError" in attempt.log
    assert "Traceback" not in attempt.error


def test_all_jobs_of_a_rate_limited_host_are_postponed(
    made: WorkerContext, source: FaultyRegistry, target: FaultyRegistry
) -> None:
    load(source)
    source.on("HEAD .*/manifests/", reply(429, Retry_After="3600"))
    first = queue_copy(f"{source.host}/app:1.0", target=target.host)

    drain(made)

    first.refresh_from_db()
    assert (first.status, first.error_class) == (JobStatus.PENDING, ErrorClass.RATE_LIMITED)
    later = timezone.now() + timedelta(seconds=3_500)
    assert first.available_at > later
    until = HostBudget.objects.get(host=source.host).resting_until
    assert until is not None and until > later
    assert OrmQ.objects.filter(lock__gt=timezone.now() + timedelta(seconds=60)).exists(), "nobody wakes up for it"

    queue_copy(f"{source.host}/other:1.0", target=target.host)
    assert not claimable().exists(), "another worker would ask the host again"


def test_a_job_for_a_replaced_target_fails_and_names_both_targets(
    made: WorkerContext, source: FaultyRegistry, target: FaultyRegistry
) -> None:
    job = queue_copy(f"{source.host}/app:1.0", target="former.example.com:5000")
    drain(made)
    job.refresh_from_db()
    assert job.status == JobStatus.FAILED
    assert "former.example.com:5000" in job.error_message and target.host in job.error_message
