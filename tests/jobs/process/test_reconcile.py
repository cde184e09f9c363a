"""Reconciliation: jobs of lost workers are recovered, and old history is deleted."""

from __future__ import annotations

import pytest
from django.db.models import F
from django_q.models import OrmQ

from mirrors.jobs.process.reconcile import reconcile
from mirrors.jobs.queue import claims, leases
from mirrors.jobs.queue.leases import AttemptReport
from mirrors.jobs.timing import from_now
from mirrors.models import (
    AdmissionSample,
    AttemptOutcome,
    BlobLocation,
    CheckStatus,
    ErrorClass,
    ImageMapping,
    Instance,
    InstanceRole,
    JobStatus,
    MirrorAttempt,
    MirrorJob,
    OperatorAction,
    RegistryCheck,
)
from mirrors.services import cancel_job
from tests.jobs.support import expire, queue_copy, take, target_row

pytestmark = pytest.mark.django_db

DAY = 86_400.0


def test_a_job_of_a_lost_worker_becomes_pending_again() -> None:
    job = queue_copy("app:1")
    expire(take())
    reconcile()
    job.refresh_from_db()
    assert (job.status, job.attempts, job.error_class) == (JobStatus.PENDING, 1, ErrorClass.WORKER_LOST)
    attempt = MirrorAttempt.objects.get(job=job)
    assert (attempt.outcome, attempt.error_class) == (AttemptOutcome.LOST, ErrorClass.WORKER_LOST)
    assert attempt.finished_at is not None


def test_a_running_job_is_not_changed() -> None:
    job = queue_copy("app:1")
    take()
    reconcile()
    job.refresh_from_db()
    assert job.status == JobStatus.RUNNING


def test_a_job_fails_after_its_worker_is_lost_in_each_attempt() -> None:
    job = queue_copy("app:1")
    for _ in range(job.max_attempts):
        expire(take())
        reconcile()
    job.refresh_from_db()
    assert (job.status, job.error_class) == (JobStatus.FAILED, ErrorClass.WORKER_LOST)
    assert "out of memory" in job.error_message
    assert MirrorAttempt.objects.filter(job=job, outcome=AttemptOutcome.LOST).count() == job.max_attempts
    assert claims.claim(worker="tests") is None


def test_the_failure_of_a_lost_job_marks_its_mapping_as_changed() -> None:
    job = queue_copy("app:1")
    MirrorJob.objects.filter(id=job.id).update(attempts=F("max_attempts") - 1)
    expire(take())
    ImageMapping.objects.update(changed_at=from_now(-DAY))
    reconcile()
    assert ImageMapping.objects.filter(changed_at__gt=from_now(-60)).count() == 1


def test_a_cancelled_job_of_a_lost_worker_is_cancelled() -> None:
    job = queue_copy("app:1")
    held = take()
    cancel_job(job_id=job.id, requested_by="ann")
    expire(held)
    reconcile()
    job.refresh_from_db()
    assert (job.status, job.error_message) == (JobStatus.CANCELLED, "Cancelled by ann.")


def test_a_due_job_without_a_wakeup_gets_one() -> None:
    queue_copy("app:1")
    OrmQ.objects.all().delete()
    reconcile()
    assert OrmQ.objects.count() == 1


def test_a_job_that_is_due_later_gets_a_wakeup_at_its_due_time() -> None:
    queue_copy("app:1")
    leases.reschedule(take(), AttemptReport(), delay=600)
    OrmQ.objects.all().delete()
    reconcile()
    assert OrmQ.objects.filter(lock__gt=from_now(590)).count() == 1


def test_no_wakeup_is_queued_without_jobs() -> None:
    reconcile()
    assert not OrmQ.objects.exists()


def test_old_jobs_are_deleted_except_the_last_job_of_each_mapping() -> None:
    first = queue_copy("app:1")
    leases.succeed(take(), AttemptReport())
    last = queue_copy("app:1")
    leases.succeed(take(), AttemptReport())
    recent = queue_copy("other:1")
    leases.succeed(take(), AttemptReport())
    recent_again = queue_copy("other:1")
    MirrorJob.objects.filter(id__in=[first.id, last.id]).update(finished_at=from_now(-40 * DAY))

    reconcile()

    left = set(MirrorJob.objects.values_list("id", flat=True))
    assert left == {last.id, recent.id, recent_again.id}
    assert not MirrorAttempt.objects.filter(job_id=first.id).exists()


def test_a_pending_job_is_never_pruned() -> None:
    job = queue_copy("app:1")
    MirrorJob.objects.update(created_at=from_now(-400 * DAY), available_at=from_now(-400 * DAY))
    reconcile()
    assert MirrorJob.objects.filter(id=job.id).exists()


def test_pruning_deletes_more_rows_than_one_batch_contains() -> None:
    registry = target_row()
    blobs = [
        BlobLocation(registry=registry, digest=f"sha256:{number:064x}", repository="app", seen_at=from_now(-100 * DAY))
        for number in range(1_500)
    ]
    BlobLocation.objects.bulk_create(blobs)
    fresh = BlobLocation.objects.create(registry=registry, digest="sha256:" + "f" * 64, repository="app")
    reconcile()
    assert list(BlobLocation.objects.all()) == [fresh]


def test_old_samples_actions_and_instances_are_deleted() -> None:
    for days in (0, 8):
        AdmissionSample.objects.create(namespace="a", created_at=from_now(-days * DAY))
    for days in (0, 8, 366):
        OperatorAction.objects.create(actor="olga", action="retry", created_at=from_now(-days * DAY))
    for name, hours in (("here", 1), ("gone", 25)):
        Instance.objects.create(role=InstanceRole.WORKER, name=name, seen_at=from_now(-hours * 3_600))
    reconcile()
    assert AdmissionSample.objects.filter(created_at__gt=from_now(-DAY)).count() == 1
    assert AdmissionSample.objects.count() == 1
    assert OperatorAction.objects.count() == 2
    assert [instance.name for instance in Instance.objects.all()] == ["here"]


def test_the_newest_check_of_a_registry_is_kept_at_any_age() -> None:
    registry = target_row()
    _, newest = (
        RegistryCheck.objects.create(registry=registry, status=CheckStatus.PASSED, created_at=from_now(-days * DAY))
        for days in (60, 40)
    )
    reconcile()
    assert list(RegistryCheck.objects.all()) == [newest]
    recent = RegistryCheck.objects.create(registry=registry, status=CheckStatus.FAILED)
    reconcile()
    assert list(RegistryCheck.objects.all()) == [recent]


def test_an_operator_action_is_kept_after_its_job_is_deleted() -> None:
    first = queue_copy("app:1")
    leases.succeed(take(), AttemptReport())
    queue_copy("app:1")
    action = OperatorAction.objects.create(actor="olga", action="retry", job=first)
    MirrorJob.objects.filter(id=first.id).update(finished_at=from_now(-40 * DAY))
    reconcile()
    action.refresh_from_db()
    assert action.job is None and not MirrorJob.objects.filter(id=first.id).exists()
