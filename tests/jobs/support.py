"""Helpers for the tests of jobs: requested copies, sources and drains."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.db import connection

from mirrors.demo.images import SampleImage, sample_image
from mirrors.demo.registry import MemoryRegistry
from mirrors.images import ImageRef, TargetName
from mirrors.jobs.context.worker_context import WorkerContext
from mirrors.jobs.process.drain import Drain
from mirrors.jobs.queue.claims import claim
from mirrors.jobs.queue.leases import Lease
from mirrors.jobs.timing import from_now
from mirrors.models import MirrorJob, Priority, Registry, RegistryRole
from mirrors.services import RequestedCopy, request_copies
from swapper_project.config import ConfigSource
from tests.support.system import write_config

FAST = {
    "heartbeat": 0.1,
    "lease": 1.0,
    "poll": 0.02,
    "linger": 0.05,
    "retry_base": 0.05,
    "retry_cap": 0.2,
    "hand_back_within": 1.0,
    "database_patience": 5.0,
    "config_poll": 0.05,
    "budget_period": 0.1,
}


def target_row(endpoint: str = "mirror.example.com:5000") -> Registry:
    row, _ = Registry.objects.get_or_create(role=RegistryRole.TARGET, endpoint=endpoint, prefix="")
    return row


def queue_copy(
    source: str,
    *,
    target: str = "mirror.example.com:5000",
    priority: int = Priority.DELAYED,
    namespace: str = "default",
    **fields: Any,
) -> MirrorJob:
    """Request a copy of one image and return its live job."""
    return queue_copies([source], target=target, priority=priority, namespace=namespace, **fields)[0]


def queue_copies(
    sources: Sequence[str],
    *,
    target: str = "mirror.example.com:5000",
    priority: int = Priority.DELAYED,
    namespace: str = "default",
    **fields: Any,
) -> list[MirrorJob]:
    """Request copies of images in one transaction and return their live jobs."""
    refs = [ImageRef.parse(source) for source in sources]
    wanted = [
        RequestedCopy(
            source=str(ref),
            target=str(TargetName(target).retarget(ref)),
            priority=priority,
            namespace=namespace,
            **fields,
        )
        for ref in refs
    ]
    outcomes = request_copies(target_registry_id=target_row(target).id, requests=wanted)
    jobs = MirrorJob.objects.in_bulk([outcome.job_id for outcome in outcomes if outcome.job_id is not None])
    return [jobs[outcome.job_id] for outcome in outcomes if outcome.job_id is not None]


def load(registry: MemoryRegistry, repository: str = "app", tag: str = "1.0", **kind: Any) -> SampleImage:
    """Load a small image into a registry."""
    image = sample_image(**{"layer_bytes": 2_000, "layers": 2, "platforms": ("linux/amd64",), **kind})
    image.load(registry.storage, repository, tag)
    return image


def config_file(directory: Path, source: MemoryRegistry, target: MemoryRegistry, **keys: Any) -> Path:
    """Write a configuration file with both registries over plain HTTP. ``keys`` are added unchanged."""
    entry = {"type": "oci", "host": source.host, "insecure": True, **keys.pop("entry", {})}
    document = {"source": {"registries": [entry]}, **keys}
    return write_config(directory / "config.yaml", target=target.host, **document)


@contextmanager
def context(config: Path) -> Iterator[WorkerContext]:
    made = WorkerContext(ConfigSource(config))
    try:
        yield made
    finally:
        made.close()


@contextmanager
def draining(made: WorkerContext, stop: Callable[[], bool] = lambda: False) -> Iterator[threading.Thread]:
    """Run a drain in another thread, and wait for it when the block exits."""
    drain = Drain(made, stop=stop)

    def run() -> None:
        drain.run()
        connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield thread
    finally:
        thread.join(30)
        assert not thread.is_alive()


def drain(made: WorkerContext) -> None:
    """Run all jobs that are due now until they finish."""
    with draining(made):
        pass


HELD_SECONDS = 600.0
"""The duration of a lease that a test has taken itself. ``expire`` ends it."""


def take(**fields: Any) -> Lease:
    """Claim a job that is due, with a lease longer than a test takes on a busy machine."""
    lease = claim(worker="tests", **fields)
    assert lease is not None
    MirrorJob.objects.filter(pk=lease.job_id).update(lease_expires_at=from_now(HELD_SECONDS))
    return lease


def expire(lease: Lease) -> None:
    """Make a lease expire now, as if its worker had been killed."""
    MirrorJob.objects.filter(id=lease.job_id).update(lease_expires_at=from_now(-1))
