"""Paused hosts: the longest pause, which jobs wait for it, which try the host first, and when the pause is
forgotten."""

from __future__ import annotations

import math
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from mirrors.jobs.context.worker_context import WorkerContext
from mirrors.jobs.limits import host_limits
from mirrors.jobs.limits.pull_limits import PullLimits
from mirrors.jobs.process.reconcile import reconcile
from mirrors.jobs.queue import claims, leases
from mirrors.jobs.queue.claim_order import claimable, next_due_at
from mirrors.jobs.queue.leases import AttemptReport
from mirrors.jobs.timing import from_now
from mirrors.models import ErrorClass, HostBudget, JobStatus, MirrorAttempt, MirrorJob
from mirrors.oci import Engine, EngineSettings
from mirrors.oci.distribution.headers import PullLimit
from mirrors.services import resume_hosts
from mirrors.services.jobs.wakeup import wake_workers
from tests.jobs.support import drain, load, queue_copies, queue_copy, take
from tests.support.faulty_registry import FaultyRegistry, reply

AN_HOUR = timedelta(hours=1)
ABSURD = ("10000-01-01 11:59:59+00", "294276-12-31 23:59:59+00", "2058-01-01 00:00:00+00", "9999-12-31 23:59:59+00")


def end_pause(host: str) -> None:
    HostBudget.objects.filter(host=host).update(resting_until=from_now(-1))


@pytest.mark.django_db
@pytest.mark.parametrize("seconds", [0, -5, 0.1, 3_600, 86_400, 999_999_999, 10**30, math.inf, math.nan])
def test_a_pause_is_never_zero_or_longer_than_one_hour(seconds: float) -> None:
    host_limits.limit("quay.io", seconds)
    until = HostBudget.objects.get().resting_until
    assert until is not None and timezone.now() < until + timedelta(seconds=1) <= timezone.now() + AN_HOUR * 1.01


@pytest.mark.django_db
def test_a_retry_is_never_delayed_by_more_than_one_hour() -> None:
    job = queue_copy("app:1")
    leases.reschedule(take(), AttemptReport(), delay=10.0**12)
    job.refresh_from_db()
    assert job.available_at <= timezone.now() + AN_HOUR


@pytest.mark.django_db
@pytest.mark.parametrize("until", ABSURD)
def test_an_out_of_range_pause_of_a_host_does_not_block_claims(until: str) -> None:
    queue_copies(["quay.io/org/app:1", "ghcr.io/org/app:1"])
    host_limits.limit("quay.io", 60)
    host_limits.limit("mirror.example.com:5000", 60)
    with connection.cursor() as cursor:
        # Write the value of a version that did not check it.
        cursor.execute("UPDATE mirrors_hostbudget SET resting_until = %s", [until])

    assert host_limits.rate_limited() == {}
    assert next_due_at() is None
    take()
    assert claims.claim(worker="tests") is None, "the target is tried by one job first"
    host_limits.limit("quay.io", 5)
    host_limits.limit("mirror.example.com:5000", 5)
    paused = host_limits.rate_limited()
    assert set(paused) == {"quay.io", "mirror.example.com:5000"}
    assert all(at < timezone.now() + AN_HOUR for at in paused.values())


@pytest.mark.django_db
@pytest.mark.parametrize("at", ABSURD)
def test_an_out_of_range_time_of_a_job_is_corrected_and_blocks_no_claims(at: str) -> None:
    late, other = queue_copies(["late:1", "other:1"])
    MirrorJob.objects.filter(pk=other.pk).update(available_at=from_now(-1))
    with connection.cursor() as cursor:
        cursor.execute("UPDATE mirrors_mirrorjob SET available_at = %s WHERE id = %s", [at, late.pk])
    taken = {take().job_id}
    if (due_at := next_due_at()) is not None:
        wake_workers(not_before=due_at)
    assert [job.pk for job in MirrorJob.objects.order_by("pk")] == [late.pk, other.pk]

    reconcile()

    assert taken | {take().job_id} == {late.pk, other.pk}


@pytest.mark.django_db
def test_after_a_pause_one_job_probes_the_host_and_other_hosts_continue() -> None:
    first, second = queue_copies(["quay.io/org/app:1", "quay.io/org/app:2"])
    host_limits.limit("quay.io", 60)
    end_pause("quay.io")

    probe = take()
    assert (probe.job_id, probe.probes) == (first.pk, ("quay.io",))
    assert claims.claim(worker="tests") is None
    elsewhere = queue_copy("ghcr.io/org/app:1")
    assert take().job_id == elsewhere.pk

    host_limits.end_probe(probe.probes, responded=probe.probes)
    assert take().job_id == second.pk


@pytest.mark.django_db
def test_the_next_job_probes_the_host_after_the_first_probe_has_expired() -> None:
    first, second = queue_copies(["quay.io/org/app:1", "quay.io/org/app:2"])
    host_limits.limit("quay.io", 60)
    end_pause("quay.io")
    take()
    assert not claimable().exists()
    HostBudget.objects.update(probe_until=from_now(-1))
    assert take().probes == ("quay.io",)


@pytest.mark.django_db
def test_reconcile_sets_the_missing_hosts_of_jobs() -> None:
    """A webhook of an older version can request copies while new workers run."""
    queue_copy("quay.io:8443/org/app:1", target="mirror.example.com")
    MirrorJob.objects.update(source_host="", target_host="")
    reconcile()
    assert MirrorJob.objects.values_list("source_host", "target_host").get() == ("quay.io:8443", "mirror.example.com")


@pytest.mark.django_db
def test_expired_host_rows_without_waiting_jobs_are_deleted() -> None:
    queue_copy("waited.example.com/app:1")
    for host in ("waited.example.com", "over.example.com", "paused.example.com", "lifted.example.com"):
        host_limits.limit(host, 600)
    end_pause("waited.example.com")
    end_pause("over.example.com")
    HostBudget.objects.filter(host="lifted.example.com").update(resting_until=None)
    HostBudget.objects.create(host="heard.example.com", operation="pulls", remaining=3)
    HostBudget.objects.create(host="silent.example.com", operation="pulls", remaining=3)
    HostBudget.objects.filter(host="silent.example.com").update(updated_at=from_now(-90_000))

    reconcile()

    kept = set(HostBudget.objects.values_list("host", flat=True))
    assert kept == {"waited.example.com", "paused.example.com", "heard.example.com"}


@pytest.mark.django_db
def test_remaining_pulls_are_limited_to_the_range_of_their_column() -> None:
    heard = PullLimits()
    heard.record("a.example.com", PullLimit(10**30, 10**30))
    heard.record("b.example.com" * 40, PullLimit(-1))
    heard.write()
    assert set(HostBudget.objects.values_list("remaining", flat=True)) == {0, 2**31 - 1}


@pytest.mark.parametrize("answer", [reply(429, Retry_After="86400"), reply(503, Retry_After="600")])
def test_waiting_for_a_paused_host_does_not_count_as_an_attempt(
    made: WorkerContext, source: FaultyRegistry, target: FaultyRegistry, answer: object
) -> None:
    load(source)
    source.on("HEAD .*/manifests/", answer, times=10_000)  # type: ignore[arg-type]
    job = queue_copy(f"{source.host}/app:1.0", target=target.host)
    for _ in range(job.max_attempts + 2):
        drain(made)
        job.refresh_from_db()
        assert (job.status, job.attempts) == (JobStatus.PENDING, 0), job.error_message
        assert not claimable().exists(), "the host would be asked over and over"
        end_pause(source.host)
        MirrorJob.objects.update(available_at=from_now(-1))
    source.heal()
    drain(made)
    job.refresh_from_db()
    assert (job.status, job.attempts) == (JobStatus.SUCCEEDED, 1)
    assert "this attempt is not counted" in MirrorAttempt.objects.filter(job=job).order_by("number")[0].log
    assert HostBudget.objects.get(host=source.host).resting_until is None, "the host has answered"


def test_a_job_that_is_rate_limited_for_more_than_a_day_fails(
    made: WorkerContext, source: FaultyRegistry, target: FaultyRegistry
) -> None:
    """After a day, its attempts count, so that a registry that never allows access does not keep a job queued
    permanently."""
    source.on("HEAD .*/manifests/", reply(429, Retry_After="600"), times=10_000)
    job = queue_copy(f"{source.host}/app:1.0", target=target.host)
    MirrorJob.objects.update(created_at=from_now(-90_000))
    for _ in range(job.max_attempts):
        end_pause(source.host)
        MirrorJob.objects.update(available_at=from_now(-1))
        drain(made)
    job.refresh_from_db()
    assert (job.status, job.error_class) == (JobStatus.FAILED, ErrorClass.RATE_LIMITED)


def test_copies_succeed_after_an_operator_ends_the_pause_of_the_target(
    made: WorkerContext, source: FaultyRegistry, target: FaultyRegistry
) -> None:
    for tag in ("1", "2"):
        load(source, tag=tag, seed=int(tag))
    target.on("POST .*/blobs/uploads/", reply(429, Retry_After="86400"), times=10_000)
    jobs = queue_copies([f"{source.host}/app:{tag}" for tag in ("1", "2")], target=target.host)
    drain(made)
    until = HostBudget.objects.get(host=target.host).resting_until
    assert until is not None and until <= timezone.now() + AN_HOUR
    target.heal()
    row = HostBudget.objects.get(host=target.host)
    assert resume_hosts(host_ids=[row.pk], requested_by="ann") == 1
    MirrorJob.objects.update(available_at=from_now(-1))
    drain(made)
    statuses = {MirrorJob.objects.get(pk=job.pk).status for job in jobs}
    assert statuses == {JobStatus.SUCCEEDED}, "the process still waits for the pause that was ended"


def test_a_rate_limit_without_retry_after_pauses_the_host(
    made: WorkerContext, source: FaultyRegistry, target: FaultyRegistry
) -> None:
    source.on("HEAD .*/manifests/", reply(429), times=10_000)
    made.engine.close()
    made.engine = Engine(EngineSettings(retries=0))
    job = queue_copy(f"{source.host}/app:1.0", target=target.host)
    drain(made)
    job.refresh_from_db()
    assert (job.status, job.attempts) == (JobStatus.PENDING, 0)
    assert host_limits.rate_limited()[source.host] > timezone.now() + timedelta(seconds=45)
