"""Leases: one holder per job, fenced by token and database clock, and the order of claims."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from mirrors.jobs.limits import host_limits
from mirrors.jobs.queue import claims, leases
from mirrors.jobs.queue.claim_order import next_due_at
from mirrors.jobs.queue.leases import AttemptReport
from mirrors.models import AttemptOutcome, JobStatus, MirrorAttempt, MirrorJob, Priority
from mirrors.services import cancel_job
from tests.jobs.support import expire, queue_copies, queue_copy, take

pytestmark = pytest.mark.django_db
DONE = AttemptReport(log="done\n")


def test_a_claimed_job_cannot_be_claimed_by_another_worker() -> None:
    job = queue_copy("app:1")
    held = take()
    assert held.job_id == job.id
    assert claims.claim(worker="other") is None


def test_a_job_is_not_claimed_before_it_is_due() -> None:
    job = queue_copy("app:1")
    MirrorJob.objects.filter(id=job.id).update(available_at=timezone.now() + timedelta(seconds=60))
    assert claims.claim(worker="tests") is None


def test_an_attempt_is_counted_when_the_job_is_claimed() -> None:
    job = queue_copy("app:1")
    take()
    job.refresh_from_db()
    assert (job.status, job.attempts, job.claims) == (JobStatus.RUNNING, 1, 1)
    assert MirrorAttempt.objects.get(job=job).outcome == AttemptOutcome.RUNNING


def test_a_job_with_an_expired_lease_is_claimed_and_its_attempt_is_lost() -> None:
    job = queue_copy("app:1")
    expire(take())
    second = take()
    assert (second.number, second.attempts) == (2, 2)
    outcomes = MirrorAttempt.objects.filter(job=job).order_by("number").values_list("outcome", flat=True)
    assert list(outcomes) == [AttemptOutcome.LOST, AttemptOutcome.RUNNING]


@pytest.mark.parametrize("end", [leases.succeed, leases.fail, leases.cancel, leases.release])
def test_a_stale_worker_changes_nothing(end: object) -> None:
    job = queue_copy("app:1")
    stale = take()
    expire(stale)
    current = take()

    assert callable(end)
    assert end(stale, AttemptReport(error="from the past")) is False
    assert leases.reschedule(stale, DONE, delay=0) is False
    assert leases.renew([stale, current]) == {current.token: False}

    job.refresh_from_db()
    assert (job.status, job.lease_token, job.error_message) == (JobStatus.RUNNING, current.token, "")
    assert leases.succeed(current, DONE) is True


def test_a_job_with_a_renewed_lease_cannot_be_claimed() -> None:
    queue_copy("app:1")
    held = take()
    expire(held)
    leases.renew([held])
    assert claims.claim(worker="other") is None


def test_renewing_a_lease_reports_a_cancellation() -> None:
    job = queue_copy("app:1")
    held = take()
    cancel_job(job_id=job.id, requested_by="ann")
    assert leases.renew([held]) == {held.token: True}


def test_a_handed_back_job_does_not_count_an_attempt() -> None:
    job = queue_copy("app:1")
    leases.release(take(), DONE)
    job.refresh_from_db()
    assert (job.status, job.attempts, job.claims, job.lease_token) == (JobStatus.PENDING, 0, 1, None)
    assert MirrorAttempt.objects.get(job=job).outcome == AttemptOutcome.HANDED_BACK
    assert take().number == 2


@pytest.mark.parametrize("back", [leases.release, lambda held, report: leases.reschedule(held, report, delay=0)])
def test_a_released_or_rescheduled_job_ends_if_it_was_cancelled(back: object) -> None:
    job = queue_copy("app:1")
    held = take()
    cancel_job(job_id=job.id, requested_by="ann")
    assert callable(back)
    assert back(held, DONE) is True
    job.refresh_from_db()
    assert (job.status, job.error_message) == (JobStatus.CANCELLED, "Cancelled by ann.")


def test_priority_takes_precedence_over_age() -> None:
    queue_copy("old:1")
    urgent = queue_copy("new:1", priority=Priority.IMMEDIATE)
    assert take().job_id == urgent.id


def test_an_immediate_job_is_claimed_next_with_a_thousand_jobs_queued() -> None:
    queue_copies([f"waiting:{number}" for number in range(1_000)])
    running = [take() for _ in range(8)]
    urgent = queue_copy("urgent:1", priority=Priority.IMMEDIATE, namespace="other")
    assert urgent.id not in {held.job_id for held in running}
    assert take().job_id == urgent.id


def test_namespaces_take_turns() -> None:
    """Ten jobs of one namespace do not delay another namespace's job until the end."""
    many = [queue_copy(f"many:{number}", namespace="many") for number in range(10)]
    few = queue_copy("few:1", namespace="few")
    assert take().job_id == many[0].id
    assert take().job_id == few.id
    assert take().job_id == many[1].id


def test_the_oldest_job_of_a_namespace_is_claimed_first() -> None:
    jobs = [queue_copy(f"app:{number}") for number in range(3)]
    assert [take().job_id for _ in jobs] == [job.id for job in jobs]


def test_jobs_of_a_rate_limited_host_are_not_claimed() -> None:
    queue_copy("quay.io/org/app:1")
    other = queue_copy("ghcr.io/org/app:1")
    host_limits.limit("quay.io", 600)
    assert take().job_id == other.id
    assert claims.claim(worker="tests") is None
    at = next_due_at()
    assert at is not None and at > timezone.now() + timedelta(seconds=590)


def test_jobs_of_a_rate_limited_target_are_not_claimed() -> None:
    queue_copy("quay.io/org/app:1", target="mirror.example.com:5000")
    host_limits.limit("mirror.example.com:5000", 600)
    assert claims.claim(worker="tests") is None


def test_a_shorter_rate_limit_does_not_shorten_a_longer_one() -> None:
    host_limits.limit("quay.io", 600)
    host_limits.limit("quay.io", 5)
    assert host_limits.rate_limited()["quay.io"] > timezone.now() + timedelta(seconds=590)


def test_a_cancelled_job_with_an_expired_lease_is_not_claimed_again() -> None:
    job = queue_copy("app:1")
    held = take()
    cancel_job(job_id=job.id, requested_by="ann")
    expire(held)
    assert claims.claim(worker="tests") is None
