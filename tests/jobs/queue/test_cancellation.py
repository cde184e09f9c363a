"""The promises of the dialog for cancelling: pods start no new copy for 10 minutes, and Retry starts one
immediately."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db.models import F

from mirrors import services
from mirrors.admin.images.jobs import JOB_ACTIONS
from mirrors.models import JobStatus, MirrorJob, Trigger
from mirrors.services import RequestedCopy, request_copies
from mirrors.services.jobs.mirroring import RETRY_BLOCKED_FOR
from tests.jobs.support import queue_copy, target_row

pytestmark = pytest.mark.django_db
SOURCE = "quay.io/team/app:1"


def asked_by_a_pod() -> bool:
    """Return whether a new copy is queued when a pod with the image is created."""
    before = MirrorJob.objects.count()
    target = "mirror.example.com:5000/quay.io/team/app:1"
    one = RequestedCopy(source=SOURCE, target=target, trigger=Trigger.ADMISSION, namespace="shop")
    request_copies(target_registry_id=target_row().pk, requests=[one])
    return MirrorJob.objects.count() > before


@pytest.fixture
def cancelled() -> MirrorJob:
    job = queue_copy(SOURCE)
    services.cancel_jobs(job_ids=[job.pk], requested_by="olga")
    job.refresh_from_db()
    assert job.status == JobStatus.CANCELLED
    return job


def test_pods_start_no_new_copy_until_the_time_in_the_dialog_has_passed(cancelled: MirrorJob) -> None:
    minutes = RETRY_BLOCKED_FOR // timedelta(minutes=1)
    assert f"no earlier than {minutes} minutes after the cancellation" in JOB_ACTIONS["cancel"].description

    MirrorJob.objects.update(finished_at=F("finished_at") - RETRY_BLOCKED_FOR + timedelta(seconds=30))
    assert not asked_by_a_pod()
    MirrorJob.objects.update(finished_at=F("finished_at") - timedelta(seconds=31))
    assert asked_by_a_pod()


def test_retry_queues_a_new_copy_immediately(cancelled: MirrorJob) -> None:
    (new,) = services.retry_jobs(job_ids=[cancelled.pk], requested_by="olga").jobs

    assert (new.status, new.mapping.source) == (JobStatus.PENDING, SOURCE)


def test_an_image_with_a_paused_mapping_is_not_copied_later(cancelled: MirrorJob) -> None:
    services.set_paused(mapping_ids=[cancelled.mapping_id], paused=True, requested_by="olga")
    MirrorJob.objects.update(finished_at=F("finished_at") - 2 * RETRY_BLOCKED_FOR)

    assert not asked_by_a_pod()
