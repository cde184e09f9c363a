"""The outcome of an attempt, determined only by its failure and its lease: one line per rule."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from mirrors.jobs.copy import ending
from mirrors.jobs.copy.attempt_log import Attempt
from mirrors.jobs.copy.failures import Failure
from mirrors.jobs.queue.leases import Lease
from mirrors.models import AttemptOutcome, ErrorClass

LIMITED: dict[str, Any] = {"error_class": ErrorClass.RATE_LIMITED, "retry_after": 90.0}
DENIED = {"error_class": ErrorClass.DENIED, "permanent": True, "grants": {"shop": False}, "is_unreadable": True}
IMMUTABLE = {"error_class": ErrorClass.TAG_IMMUTABLE, "permanent": True}
LAST = {"attempts": 5}


def lease(**fields: Any) -> Lease:
    given: dict[str, Any] = {"number": 1, "attempts": 1, "max_attempts": 5} | fields
    return Lease(job_id=1, mapping_id=1, token=uuid.uuid4(), **given)


def failure(**fields: Any) -> Failure:
    given: dict[str, Any] = {"error_class": ErrorClass.UNAVAILABLE, "permanent": False, "host": "quay.io"}
    return Failure(message="it failed", **given | fields)


@pytest.mark.parametrize(
    ("failed", "held", "is_retried", "is_counted"),
    [
        ({}, {}, True, True),
        ({}, LAST, False, True),
        ({"permanent": True}, {}, False, True),
        # A pause that a host requests costs no attempt, as long as the job is allowed to wait for it.
        (LIMITED, {}, True, False),
        (LIMITED, LAST, True, False),
        (LIMITED, {"may_wait": False}, True, True),
        (LIMITED, {"may_wait": False} | LAST, False, True),
    ],
)
def test_a_failure_is_retried_and_counted_according_to_its_type(
    failed: dict[str, Any], held: dict[str, Any], is_retried: bool, is_counted: bool
) -> None:
    one = lease(**held)
    result = ending.failure(one, Attempt(one), failure(**failed))

    assert (result.outcome, result.delay is not None, result.is_counted) == (
        AttemptOutcome.FAILED,
        is_retried,
        is_counted,
    )


@pytest.mark.parametrize(
    ("failed", "answered", "pause"),
    [
        ({}, [], None),
        (DENIED, ["quay.io"], None),
        (LIMITED, [], ("quay.io", 90.0)),
        (LIMITED | {"host": ""}, [], None),
    ],
)
def test_a_failure_determines_the_answered_hosts_and_the_pause(
    failed: dict[str, Any], answered: Any, pause: Any
) -> None:
    result = ending.failure(lease(), Attempt(lease()), failure(**failed))

    assert (result.responded, result.pause) == (answered, pause)


@pytest.mark.parametrize(
    ("failed", "mapping", "grants", "is_unreadable"),
    [
        ({}, {}, {}, False),
        (DENIED, {}, {"shop": False}, True),
        (IMMUTABLE, {"obstacle": "immutable-conflict"}, {}, False),
        # Only a failure that ends the job says something about its image.
        (DENIED | {"permanent": False}, {}, {}, False),
    ],
)
def test_only_a_permanent_failure_changes_the_mapping_and_its_access(
    failed: dict[str, Any], mapping: dict[str, Any], grants: dict[str, bool], is_unreadable: bool
) -> None:
    result = ending.failure(lease(), Attempt(lease()), failure(**failed))

    assert (result.mapping, result.grants, result.is_unreadable) == (mapping, grants, is_unreadable)


def test_the_next_attempt_is_delayed_by_at_least_retry_after() -> None:
    result = ending.failure(lease(), Attempt(lease()), failure(**LIMITED))

    assert result.delay is not None and result.delay >= LIMITED["retry_after"]


@pytest.mark.parametrize(
    ("is_cancelled", "outcome"), [(True, AttemptOutcome.CANCELLED), (False, AttemptOutcome.HANDED_BACK)]
)
def test_a_stopped_copy_is_either_cancelled_or_handed_back(is_cancelled: bool, outcome: AttemptOutcome) -> None:
    result = ending.stop(Attempt(lease()), is_cancelled=is_cancelled)

    assert (result.outcome, result.responded) == (outcome, None), "a probe of its host is not over"
