"""A source and a target in memory, a real API server, and rows as the watcher writes them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from mirrors.backfill.task import BackfillTask
from mirrors.images import ImageRef
from mirrors.jobs.context.worker_context import WorkerContext
from mirrors.models import BackfillImage, BackfillRun, Registry, RegistryRole, RunningImage
from mirrors.services.clusters.backfill import request_preview
from mirrors.services.configuration.config_rows import sync_config
from mirrors.watcher.inventory import Inventory
from swapper_project.config import Config, ConfigSource
from tests.api.conftest import client_of
from tests.jobs.conftest import fast, source, target
from tests.jobs.support import config_file, context
from tests.support.controlplane import ControlPlane
from tests.support.faulty_registry import FaultyRegistry
from tests.support.ports import wait_until

__all__ = ["client_of", "fast", "source", "target"]

_numbers = count(1)


@pytest.fixture
def registry(db: None) -> Registry:
    """A row of the target."""
    return Registry.objects.create(role=RegistryRole.TARGET, endpoint="mirror.example.com", managed_by="config")


class Shop:
    """A separate namespace in the API server, and the rows that the watcher would write for it."""

    def __init__(self, plane: ControlPlane, namespace: str) -> None:
        self.plane, self.namespace = plane, namespace
        plane.namespace(namespace)
        plane.create(f"/api/v1/namespaces/{namespace}/serviceaccounts", "default", "ServiceAccount")

    def pod(self, name: str, image: str, *, pods: int = 1, state: str = "running", **more: Any) -> None:
        """Create a pod without a node, and its row. ``more`` are fields of the spec, and ``metadata``."""
        metadata = {"name": name, **more.pop("metadata", {})}
        body = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": metadata,
            "spec": {"containers": [{"name": "app", "image": image}], **more},
        }
        self.plane.request("POST", f"/api/v1/namespaces/{self.namespace}/pods", body)
        self.row(image, pod_name=name, pods=pods, state=state)

    def deployment(self, name: str, image: str) -> None:
        """Create a Deployment that is scaled to zero, and its row."""
        labels = {"app": name}
        template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "app", "image": image}]}}
        spec = {"replicas": 0, "selector": {"matchLabels": labels}, "template": template}
        path = f"/apis/apps/v1/namespaces/{self.namespace}/deployments"
        self.plane.create(path, name, "Deployment", spec=spec)
        self.row(image, workload_kind="Deployment", workload=name, in_template=True, state="template", pods=0)

    def row(self, image: str, **fields: Any) -> RunningImage:
        return running(image, namespace=self.namespace, **fields)


def running(image: str, **fields: Any) -> RunningImage:
    """Create a row as the watcher does."""
    values = {"cluster": "default", "namespace": "shop", "state": "running", "pods": 1, **fields}
    reference = str(ImageRef.parse(image))
    return RunningImage.objects.create(key=str(next(_numbers)), image=image, source=reference, **values)


@pytest.fixture
def shop(read_plane: ControlPlane) -> Shop:
    return Shop(read_plane, f"shop-{next(_numbers)}")


class Watcher:
    """Runs turns of the watcher as a test requests them, with a configuration file that the test can change."""

    def __init__(self, directory: Path, source: FaultyRegistry, target: FaultyRegistry) -> None:
        self._made_of = directory, source, target
        self.path = config_file(directory, source, target)
        self._source = ConfigSource(self.path)
        sync_config(config=self._source.current)
        self.task = BackfillTask(lambda: self._source.current)

    @property
    def config(self) -> Config:
        return self._source.current

    def configure(self, **keys: Any) -> None:
        config_file(*self._made_of, **keys)
        self._source.poll()

    def turn(self, times: int = 1) -> None:
        for _ in range(times):
            self.task.run(Inventory())

    def turn_until(self, condition: Callable[[], bool], what: str) -> None:
        """Run turns until the condition is true. A turn decides about as many images as it has time for."""

        def is_so() -> bool:
            self.turn()
            return condition()

        wait_until(is_so, what=what)

    def look(self) -> None:
        """Run a turn in which ``backfill: on`` looks for images, which it otherwise does once a minute."""
        self.task._next_check = 0.0
        self.turn()


@pytest.fixture
def watcher(
    transactional_db: None, tmp_path: Path, source: FaultyRegistry, target: FaultyRegistry
) -> Iterator[Watcher]:
    made = Watcher(tmp_path, source, target)
    yield made
    made.task.close()


@pytest.fixture
def worker(watcher: Watcher) -> Iterator[WorkerContext]:
    with context(watcher.path) as ready:
        yield ready


def preview(watcher: Watcher) -> BackfillRun:
    """Request a preview, and return it when it is complete."""
    run = request_preview(cluster="default", requested_by="ann")
    while run.previewed_at is None:
        watcher.turn()
        run.refresh_from_db()
        assert run.problem == ""
    return run


def states(run: BackfillRun) -> dict[str, str]:
    """Return the state of each image, or the reason why it is skipped, by repository and tag."""
    rows = BackfillImage.objects.filter(run=run)
    return {row.source.partition("/")[2]: row.reason or row.state for row in rows}
