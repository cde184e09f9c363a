"""After a copy failed permanently, pods start no new copy for a while. The error determines to which namespaces this
applies."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db.models import F

from mirrors.jobs.queue import leases
from mirrors.jobs.queue.leases import AttemptReport
from mirrors.models import ErrorClass, MirrorAttempt, MirrorRequest, Trigger
from tests.jobs.support import queue_copies, queue_copy, take

pytestmark = pytest.mark.django_db


def fail(error: ErrorClass, namespace: str = "team-b") -> None:
    """Request a copy from this namespace that fails."""
    queue_copy("app:1", namespace=namespace)
    assert leases.fail(take(), AttemptReport(error_class=error, error="no"))


def test_a_namespace_that_was_denied_access_starts_no_new_copy() -> None:
    fail(ErrorClass.DENIED)

    assert queue_copies(["app:1"], namespace="team-b") == []


@pytest.mark.parametrize("error", [ErrorClass.DENIED, ErrorClass.NOT_FOUND, ErrorClass.UNAUTHORIZED])
def test_access_errors_of_one_namespace_do_not_block_another_namespace(error: ErrorClass) -> None:
    fail(error)

    assert len(queue_copies(["app:1"], namespace="team-a")) == 1


def test_a_namespace_whose_request_joined_a_running_copy_is_not_blocked_by_its_failure() -> None:
    queue_copy("app:1", namespace="team-b")
    lease = take()
    MirrorRequest.objects.update(created_at=F("created_at") - timedelta(seconds=2))
    MirrorAttempt.objects.update(started_at=F("started_at") - timedelta(seconds=1))
    assert len(queue_copies(["app:1"], namespace="team-a")) == 1
    assert leases.fail(lease, AttemptReport(error_class=ErrorClass.NOT_FOUND, error="no"))

    assert queue_copies(["app:1"], namespace="team-b") == []
    (job,) = queue_copies(["app:1"], namespace="team-a")
    assert job.pk != lease.job_id


def test_an_image_that_is_too_large_is_blocked_for_all_namespaces() -> None:
    fail(ErrorClass.TOO_LARGE)

    assert queue_copies(["app:1"], namespace="team-a") == []


def test_an_operator_can_request_a_copy_immediately_after_a_failure() -> None:
    fail(ErrorClass.TOO_LARGE)

    assert len(queue_copies(["app:1"], namespace="", trigger=Trigger.OPERATOR)) == 1
