"""One cluster for all tests, each with its own namespaces, and a release for each module."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.e2e.cluster.cluster import Cluster, running_cluster
from tests.e2e.cluster.release import Release, installed


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with running_cluster(tmp_path_factory.mktemp("cluster")) as running:
        yield running


@pytest.fixture(scope="module")
def release(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Release]:
    """The chart, installed as documented, with two registries, for tests that do not change the release."""
    directory: Path = tmp_path_factory.mktemp("release")
    with ExitStack() as stack:
        yield stack.enter_context(installed(cluster, directory))
