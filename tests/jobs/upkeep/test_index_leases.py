"""Workers that copy signatures of one image to a registry without the referrers API do not lose an entry of its
index."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from mirrors.demo.handler import Handler
from mirrors.jobs.context.index_leases import DatabaseIndexLeases
from mirrors.jobs.process.pruning import prune
from mirrors.jobs.timing import from_now
from mirrors.models import WorkLease
from tests.jobs.processes import race
from tests.jobs.support import config_file, load
from tests.oci.referrers.listed import bundle, fallback, tag_of
from tests.support.faulty_registry import FaultyRegistry
from tests.support.registry_profiles import PROFILES, ProfiledRegistry

PATIENCE = 2.0
"""Seconds that a write is delayed, in which a second process without a lock would read."""


class Interleaving:
    """Delays each write of the index until it would overwrite the other's: the first until both processes have read,
    the second until the first has read back its own."""

    def __init__(self, target: FaultyRegistry, tag: str) -> None:
        self._reads = self._writes = 0
        self._moved = threading.Condition()
        target.on(f"GET .*/manifests/{tag}", self._read, times=99)
        target.on(f"PUT .*/manifests/{tag}", self._write, times=99)

    def _read(self, handler: Handler) -> bool:
        found = handler.registry.storage.manifest(handler.repository, handler.rest)
        if found is None:
            handler.respond_error(404, "MANIFEST_UNKNOWN")
        else:
            handler.respond(200, found[2], Content_Type=found[1], Docker_Content_Digest=found[0])
        with self._moved:
            self._reads += 1
            self._moved.notify_all()
        return True

    def _write(self, handler: Handler) -> bool:
        with self._moved:
            self._writes += 1
            needed = 1 + self._writes
            self._moved.wait_for(lambda: self._reads >= needed, PATIENCE)
        return False


@pytest.fixture
def source() -> Iterator[FaultyRegistry]:
    with ProfiledRegistry(PROFILES["distribution3"]) as registry:
        yield registry


@pytest.fixture
def target() -> Iterator[FaultyRegistry]:
    with ProfiledRegistry(PROFILES["ghcr"]) as registry:
        yield registry


def test_concurrent_writes_of_one_index_by_two_processes_lose_no_entry(
    transactional_db: None, source: FaultyRegistry, target: FaultyRegistry, tmp_path: Path
) -> None:
    pushed = []
    for number in range(2):
        image = load(source, f"app{number}")
        pushed.append(bundle(image.root, of=str(number)).load(source.storage, f"app{number}"))
    Interleaving(target, tag_of(image.root))

    problems = race(
        "sign", 2, source.host, target.host, config=config_file(tmp_path, source, target), directory=tmp_path
    )

    assert problems == [[], []]
    assert {entry["digest"] for entry in fallback(target, image.root)} == set(pushed)
    assert not WorkLease.objects.exists(), "each is given back"


@pytest.mark.django_db(transaction=True)
def test_another_process_can_acquire_an_expired_index_lease() -> None:
    killed, other = DatabaseIndexLeases(), DatabaseIndexLeases()
    assert killed.hold("an index") and killed.hold("an index")
    assert not other.hold("an index")
    WorkLease.objects.update(expires_at=from_now(-1))
    assert other.hold("an index")
    assert not killed.hold("an index")
    other.release("an index")
    assert killed.hold("an index")


@pytest.mark.django_db
def test_leases_that_expired_more_than_a_day_ago_are_deleted() -> None:
    for name, hours in (("old", 25), ("young", 1)):
        WorkLease.objects.create(name=name, holder="somebody", expires_at=from_now(-3600 * hours))
    prune()
    assert [lease.name for lease in WorkLease.objects.all()] == ["young"]
