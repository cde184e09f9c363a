"""One release with its watcher for all stories of this folder; each has a namespace and images of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.cluster.cluster import Cluster
from tests.e2e.cluster.installation import Installation
from tests.e2e.cluster.release import Release, installed
from tests.watcher.objects import Objects

RACKS = ("rack-1", "rack-2")
"""Nodes whose pods have the states that a story writes; no kubelet looks after them."""


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One after the other, in whatever order: else the release is installed again after each story from elsewhere."""
    here = [item for item in items if Path(__file__).parent in item.path.parents]
    if here:
        first = items.index(here[0])
        before = [item for item in items[:first] if item not in here]
        items[:] = [*before, *here, *(item for item in items[first:] if item not in here)]


@pytest.fixture(scope="package")
def installation(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    objects = Objects(cluster.api)
    for rack in RACKS:
        objects.node(rack)
    directory: Path = tmp_path_factory.mktemp("watched")
    with installed(cluster, directory, config={"clusterName": "store"}) as release:
        yield Installation(release, directory)
    for rack in RACKS:
        cluster.api.delete(f"/api/v1/nodes/{rack}")


@pytest.fixture
def release(installation: Installation) -> Release:
    return installation.release


@pytest.fixture
def shop(cluster: Cluster) -> Iterator[str]:
    """A namespace that ends with its story, so that none of its pods is in the next one."""
    namespace = cluster.namespace("shop")
    yield namespace
    cluster.api.delete(f"/api/v1/namespaces/{namespace}")
