"""One release with its watcher for all tests of this folder, each with its own namespace and images."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.cluster.cluster import Cluster
from tests.e2e.cluster.installation import Installation
from tests.e2e.cluster.release import Release, installed
from tests.watcher.objects import Objects

RACKS = ("rack-1", "rack-2")
"""Nodes on which tests write the states of pods. No kubelet manages these nodes."""


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the tests of this folder one after another, because otherwise the release is installed again after each test
    of another folder."""
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
    """A namespace that is deleted after the test, so that the next test sees none of its pods."""
    namespace = cluster.namespace("shop")
    yield namespace
    cluster.api.delete(f"/api/v1/namespaces/{namespace}")
