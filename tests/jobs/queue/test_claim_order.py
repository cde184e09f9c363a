"""The order of claims: by priority, then by the fewest running copies of the namespace, then by age."""

from __future__ import annotations

import random
import uuid
from collections import Counter
from collections.abc import Callable
from typing import Final

import pytest
from django.db import connection
from django.db.models.functions import Now
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from mirrors.jobs.queue import claims
from mirrors.jobs.queue.claim_search import Fairness
from mirrors.jobs.timing import from_now
from mirrors.models import JobStatus, MirrorJob
from tests.jobs.support import queue_copies
from tests.support.ports import wait_until

pytestmark = pytest.mark.django_db

JOBS: Final = 16
ABANDONED: Final = "abandoned"
LATER: Final = "later"
LONG_LEASES: Final = {"lease": 600.0}
STATES: Final = (JobStatus.PENDING, JobStatus.PENDING, JobStatus.PENDING, JobStatus.RUNNING, ABANDONED, LATER)


@pytest.fixture(autouse=True)
def long_leases(settings: Settings) -> None:
    """No claimed job counts as abandoned while a test runs, even on a busy machine."""
    settings.JOB_TIMING = LONG_LEASES


@pytest.mark.parametrize("seed", range(12))
def test_each_claim_takes_the_next_job_in_order(seed: int) -> None:
    chance = random.Random(seed)
    states = _jobs(chance)
    while expected := _next(states):
        held = claims.claim(worker="tests")
        assert held is not None and held.job_id == expected
        states[expected] = JobStatus.RUNNING
    assert claims.claim(worker="tests") is None


def test_claims_restricted_to_given_jobs_keep_the_order() -> None:
    chance = random.Random(99)
    states = _jobs(chance)
    chosen = chance.sample(sorted(states), JOBS // 2)
    states = {job: state if job in chosen or state != JobStatus.PENDING else LATER for job, state in states.items()}
    states = {
        job: JobStatus.RUNNING if job not in chosen and state == ABANDONED else state for job, state in states.items()
    }
    while expected := _next(states):
        held = claims.claim(worker="tests", only=chosen)
        assert held is not None and held.job_id == expected
        states[expected] = JobStatus.RUNNING
    assert claims.claim(worker="tests", only=chosen) is None


@pytest.fixture
def remembering(settings: Settings) -> Callable[[], str]:
    """Claim in one drain that caches for a minute that no other namespace waits. Each call returns the job's
    namespace."""
    settings.JOB_TIMING = {**LONG_LEASES, "poll": 60.0}
    fairness = Fairness()

    def claimed() -> str:
        lease = claims.claim(worker="tests", fairness=fairness)
        assert lease is not None
        return lease.namespace

    return claimed


def test_the_absence_of_jobs_in_other_namespaces_is_queried_once(remembering: Callable[[], str]) -> None:
    queue_copies([f"app:{number}" for number in range(4)], namespace="a")
    costs = []
    for _ in range(4):
        with CaptureQueriesContext(connection) as statements:
            assert remembering() == "a"
        costs.append(len(statements))
    assert costs[1] == costs[2] + 1 == costs[3] + 1


def test_a_namespace_whose_copies_have_finished_is_next_immediately(remembering: Callable[[], str]) -> None:
    first = queue_copies(["b1:1"], namespace="b")[0]
    queue_copies([f"a{number}:1" for number in range(4)], namespace="a")
    queue_copies(["b2:1"], namespace="b")
    assert [remembering() for _ in range(3)] == ["b", "a", "a"]
    MirrorJob.objects.filter(pk=first.pk).update(
        status=JobStatus.SUCCEEDED, lease_token=None, lease_expires_at=None, finished_at=Now()
    )
    assert remembering() == "b"


def test_the_first_job_of_a_namespace_does_not_wait_for_all_other_jobs(settings: Settings) -> None:
    settings.JOB_TIMING = {**LONG_LEASES, "poll": 0.2}
    fairness = Fairness()
    queue_copies([f"a{number}:1" for number in range(200)], namespace="a")
    for _ in range(2):
        claims.claim(worker="tests", fairness=fairness)
    queue_copies(["b:1"], namespace="b")

    def is_its_turn() -> bool:
        lease = claims.claim(worker="tests", fairness=fairness)
        return lease is not None and lease.namespace == "b"

    wait_until(is_its_turn, what="the first job of the other namespace")
    assert MirrorJob.objects.filter(status=JobStatus.PENDING).exists()


def _jobs(chance: random.Random) -> dict[int, str]:
    """Create jobs and return their states by ID."""
    states = {}
    for job in queue_copies([f"app:{number}" for number in range(JOBS)]):
        state = states[job.pk] = chance.choice(STATES)
        is_running = state in (JobStatus.RUNNING, ABANDONED)
        MirrorJob.objects.filter(pk=job.pk).update(
            priority=chance.choice((0, 10, 20)),
            namespace=chance.choice("abcd"),
            status=JobStatus.RUNNING if is_running else JobStatus.PENDING,
            lease_token=uuid.uuid4() if is_running else None,
            lease_expires_at=from_now(-60 if state == ABANDONED else 600) if is_running else None,
            available_at=from_now(3_600 if state == LATER else -chance.choice((100, 2_000, 3_000))),
        )
    return states


def _next(states: dict[int, str]) -> int | None:
    """Return the ID of the next job. An abandoned job counts as running, and is claimed before queued jobs."""
    rows = {job.pk: job for job in MirrorJob.objects.all()}
    running = Counter(rows[pk].namespace for pk, state in states.items() if state in (JobStatus.RUNNING, ABANDONED))
    due = [rows[pk] for pk, state in states.items() if state in (JobStatus.PENDING, ABANDONED)]
    in_turn = sorted(
        due,
        key=lambda job: (
            job.priority,
            running[job.namespace],
            states[job.pk] != ABANDONED,
            job.available_at,
            job.pk,
        ),
    )
    return in_turn[0].pk if in_turn else None
