"""Shares: how many of a process's slots a namespace or source host can use, as rules and with running copies."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pytest_django import Settings

from mirrors.jobs.limits.shares import FullShares, free_slots
from mirrors.jobs.queue import claims
from mirrors.jobs.timing import from_now
from mirrors.models import JobStatus, MirrorAttempt, MirrorJob
from mirrors.vocabulary.clusters import ClusterNamespace
from tests.jobs.support import FAST, config_file, context, draining, load, queue_copies, queue_copy, take
from tests.support.faulty_registry import FaultyRegistry, held
from tests.support.ports import wait_until
from tests.support.system import write_config

GREEDY = ClusterNamespace("default", "greedy")
BLOB = "GET .*/blobs/"


@contextmanager
def ending(event: threading.Event) -> Iterator[None]:
    """Set the event when the block exits, even by an exception."""
    try:
        yield
    finally:
        event.set()


@dataclass(frozen=True)
class Copy:
    namespace: str
    source_host: str
    cluster: str = "default"


def copies(*counts: tuple[int, str, str]) -> list[Copy]:
    return [Copy(namespace, host) for count, namespace, host in counts for _ in range(count)]


@pytest.mark.parametrize(
    ("slots", "running", "for_any", "for_others", "full_namespaces", "full_hosts"),
    [
        (8, copies(), True, True, set(), set()),
        (8, copies((3, "a", "x")), True, True, set(), set()),
        (8, copies((4, "a", "x")), True, True, {"a"}, {"x"}),
        (8, copies((8, "a", "x")), False, True, {"a"}, {"x"}),
        (8, copies((8, "a", "x"), (3, "b", "y")), False, True, {"a"}, {"x"}),
        (8, copies((8, "a", "x"), (4, "b", "y")), False, False, {"a", "b"}, {"x", "y"}),
        (8, copies((4, "a", "x"), (4, "b", "x")), False, True, {"a", "b"}, {"x"}),
        (8, copies((4, "a", "x"), (4, "b", "y")), False, False, {"a", "b"}, {"x", "y"}),
        (8, copies(*((2, name, name) for name in "abcd")), False, False, set(), set()),
        (3, copies((3, "a", "x")), False, True, {"a"}, {"x"}),
        (2, copies((2, "a", "x")), False, True, {"a"}, {"x"}),
        (1, copies((1, "a", "x")), False, False, {"a"}, {"x"}),
    ],
)
def test_a_share_is_half_of_the_slots(
    slots: int,
    running: list[Copy],
    for_any: bool,
    for_others: bool,
    full_namespaces: set[str],
    full_hosts: set[str],
) -> None:
    found = free_slots(slots, running)
    assert (found.for_any, found.for_others) == (for_any, for_others)
    assert ({name.namespace for name in found.full.namespaces}, set(found.full.hosts)) == (full_namespaces, full_hosts)


@pytest.mark.parametrize("slots", [2, 3, 7, 8, 64])
def test_others_get_additional_slots_if_one_namespace_holds_all(slots: int) -> None:
    running = copies((slots, "greedy", "slow"))
    while free_slots(slots, running).for_others:
        running.append(Copy(f"other-{len(running)}", f"host-{len(running)}"))
    assert slots < len(running) <= 1.5 * slots + 0.5, "half as many again"


@pytest.mark.django_db
def test_a_claim_excludes_namespaces_and_hosts_with_full_shares() -> None:
    queue_copies(["slow.example.com/app:1", "slow.example.com/app:2"], namespace="greedy")
    other = queue_copy("quay.io/org/app:1", namespace="other")
    MirrorJob.objects.filter(pk=other.pk).update(available_at=from_now(-0.001))
    full = FullShares(frozenset({GREEDY}), frozenset({"slow.example.com"}))
    assert take(excluding=full).job_id == other.pk
    assert claims.claim(worker="tests", excluding=full) is None
    same_host = queue_copy("slow.example.com/app:3", namespace="other")
    assert claims.claim(worker="tests", excluding=full) is None
    assert take(excluding=FullShares(frozenset({GREEDY}))).job_id == same_host.pk


@pytest.mark.parametrize("kind", ["namespace", "host"])
def test_copies_that_never_finish_do_not_block_copies_of_others(
    transactional_db: None, source: FaultyRegistry, target: FaultyRegistry, tmp_path: Path, kind: str
) -> None:
    """One namespace or host can use all slots while no other waits. Copies of others that are requested later start all
    the same."""
    with FaultyRegistry() as slow:
        for number in range(8):
            load(slow, tag=str(number), seed=number, layers=1)
        for number in range(5):
            load(source, tag=str(number), seed=20 + number)
        slow.on(BLOB, held(slow.closing), times=1_000)
        entries = [{"type": "oci", "host": registry.host, "insecure": True} for registry in (slow, source)]
        keys: dict[str, Any] = {"source": {"registries": entries}, "copy": {"images": 4}}
        config = write_config(tmp_path / "config.yaml", target=target.host, **keys)
        stop = threading.Event()
        for number in range(8):
            namespace = "greedy" if kind == "namespace" else f"team-{number}"
            queue_copy(f"{slow.host}/app:{number}", target=target.host, namespace=namespace)
        with context(config) as made, draining(made, stop.is_set), ending(stop):
            running = MirrorJob.objects.filter(status=JobStatus.RUNNING)
            wait_until(lambda: running.count() == 4, what="all slots taken by one")
            others = [queue_copy(f"{source.host}/app:{n}", target=target.host, namespace="shop") for n in range(5)]
            done = MirrorJob.objects.filter(pk__in=[job.pk for job in others], status=JobStatus.SUCCEEDED)
            wait_until(lambda: done.count() == 5, what="the copies of others")
            assert running.count() == 4


def test_a_single_namespace_can_use_all_slots(
    transactional_db: None, source: FaultyRegistry, target: FaultyRegistry, tmp_path: Path
) -> None:
    release = threading.Event()
    for number in range(4):
        load(source, tag=str(number), seed=number)
    source.on(BLOB, held(release), times=1_000)
    queue_copies([f"{source.host}/app:{number}" for number in range(4)], target=target.host)
    with context(config_file(tmp_path, source, target, copy={"images": 4})) as made, draining(made):
        wait_until(lambda: MirrorJob.objects.filter(status=JobStatus.RUNNING).count() == 4, what="all slots")
        release.set()


def test_claims_continue_during_a_copy_longer_than_the_drain_limit(
    transactional_db: None, source: FaultyRegistry, target: FaultyRegistry, tmp_path: Path, settings: Settings
) -> None:
    settings.JOB_TIMING = {**FAST, "drain_limit": 0.2}
    release = threading.Event()
    load(source, tag="long", seed=1)
    source.on(BLOB, held(release))
    long = queue_copy(f"{source.host}/app:long", target=target.host)
    with context(config_file(tmp_path, source, target, copy={"images": 2})) as made, draining(made) as thread:
        wait_until(lambda: source.count(BLOB), what="the long copy")
        for number in range(3):
            load(source, tag=str(number), seed=10 + number)
            short = queue_copy(f"{source.host}/app:{number}", target=target.host)
            thread.join(0.3)  # longer than the limit
            result = MirrorJob.objects.filter(pk=short.pk, status=JobStatus.SUCCEEDED)
            wait_until(result.exists, what="a copy after the limit")
        long.refresh_from_db()
        assert long.status == JobStatus.RUNNING
        release.set()
        thread.join(30)
    long.refresh_from_db()
    assert long.status == JobStatus.SUCCEEDED


def test_a_drain_ends_in_time_and_hands_back_running_jobs(
    transactional_db: None, source: FaultyRegistry, target: FaultyRegistry, tmp_path: Path, settings: Settings
) -> None:
    """Otherwise django-q2 would kill the process with all its copies."""
    settings.JOB_TIMING = {**FAST, "drain_limit": 5.0, "drain_end": 6.0}
    load(source)
    source.on(BLOB, held(source.closing), times=1_000)
    job = queue_copy(f"{source.host}/app:1.0", target=target.host)
    with context(config_file(tmp_path, source, target)) as made:
        with draining(made):
            wait_until(lambda: source.count(BLOB), what="the copy")
        job.refresh_from_db()
        assert (job.status, job.attempts, job.claims) == (JobStatus.PENDING, 0, 1)
        assert "starts a new drain" in MirrorAttempt.objects.get(job=job).log
        source.heal()
        settings.JOB_TIMING = FAST
        with draining(made):
            pass
    job.refresh_from_db()
    assert (job.status, job.attempts) == (JobStatus.SUCCEEDED, 1)
