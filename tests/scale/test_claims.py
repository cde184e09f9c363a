"""Claims stay fast, however many hosts are paused and however many jobs are due."""

from __future__ import annotations

import time

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from mirrors.jobs.limits.shares import NO_FULL_SHARES, FullShares
from mirrors.jobs.queue import claim_order, claims, leases
from mirrors.jobs.timing import from_now
from mirrors.models import HostBudget, ImageMapping, MirrorJob
from mirrors.vocabulary.bounds import host_of
from mirrors.vocabulary.clusters import ClusterNamespace
from tests.jobs.support import target_row

pytestmark = pytest.mark.django_db

MANY = 4_000
SECONDS_OF_ONE_CLAIM = 1.5
"""CPU time, or time by the database's clock. A claim that compares each job with each host takes minutes."""


@pytest.fixture
def crowd() -> None:
    """As many paused hosts as due jobs, one job per host, and one job whose host is not paused."""
    registry, until = target_row(), from_now(1_800)
    HostBudget.objects.bulk_create(
        [HostBudget(host=f"r{number}.example.com") for number in range(MANY)], batch_size=2_000
    )
    HostBudget.objects.update(resting_until=until)
    sources = [f"r{number}.example.com/app:1" for number in range(MANY)] + ["free.example.net/app:1"]
    mappings = ImageMapping.objects.bulk_create(
        [ImageMapping(target_registry=registry, source=source, target=f"mirror/{source}") for source in sources],
        batch_size=2_000,
    )
    MirrorJob.objects.bulk_create(
        [
            MirrorJob(
                mapping=mapping,
                namespace=f"team-{number % 500}",
                source_host=host_of(mapping.source),
                target_host="mirror.example.com:5000",
            )
            for number, mapping in enumerate(mappings)
        ],
        batch_size=2_000,
    )
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE mirrors_mirrorjob, mirrors_hostbudget")


def test_a_claim_skips_thousands_of_paused_hosts_quickly(crowd: None) -> None:
    held, seconds = _timed_claim()
    assert held is not None and held.source_host == "free.example.net"
    assert seconds < SECONDS_OF_ONE_CLAIM
    nothing, seconds = _timed_claim()
    assert nothing is None and seconds < SECONDS_OF_ONE_CLAIM


def test_a_claim_among_thousands_of_jobs_is_fast(crowd: None) -> None:
    HostBudget.objects.update(resting_until=None)
    for excluding in (
        NO_FULL_SHARES,
        FullShares(frozenset({ClusterNamespace("default", "team-1")}), frozenset({"r7.example.com"})),
    ):
        held, seconds = _timed_claim(excluding)
        assert held is not None and seconds < SECONDS_OF_ONE_CLAIM


def test_thousands_of_jobs_for_a_paused_target_are_excluded_quickly(crowd: None) -> None:
    HostBudget.objects.create(host="mirror.example.com:5000")
    HostBudget.objects.update(resting_until=from_now(1_800))
    started = time.thread_time()
    assert not claim_order.claimable().exists() and claim_order.next_due_at() is not None
    assert time.thread_time() - started < SECONDS_OF_ONE_CLAIM


def test_a_claim_reads_jobs_from_an_index_without_sorting(crowd: None) -> None:
    """The cost of sorting grows with the number of due jobs, at each claim."""
    HostBudget.objects.update(resting_until=None)
    assert claims.claim(worker="tests") is not None
    with CaptureQueriesContext(connection) as statements:
        assert claims.claim(worker="tests") is not None
    searches = [one["sql"] for one in statements if '"mirrors_mirrorjob"."priority"' in one["sql"]]
    assert searches
    for sql in searches:
        plan = _plan(sql)
        assert "job_due" in plan and "Sort" not in plan and "ORDER BY" not in plan


def _plan(sql: str) -> str:
    prefix = "EXPLAIN" if connection.vendor == "postgresql" else "EXPLAIN QUERY PLAN"
    with connection.cursor() as cursor:
        cursor.execute(f"{prefix} {sql}")
        return "\n".join(str(row[-1]) for row in cursor.fetchall())


def _timed_claim(excluding: FullShares = NO_FULL_SHARES) -> tuple[leases.Lease | None, float]:
    if connection.vendor != "postgresql":
        started = time.thread_time()
        return claims.claim(worker="tests", excluding=excluding), time.thread_time() - started
    with transaction.atomic():
        started = time.monotonic()
        return claims.claim(worker="tests", excluding=excluding), time.monotonic() - started
