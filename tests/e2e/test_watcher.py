"""The watcher of the installed chart: with its own account it writes what runs, and it may read no more than that."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import pytest
import urllib3

from tests.e2e.cluster.cluster import Cluster
from tests.e2e.cluster.release import Release, installed
from tests.support.databases import query
from tests.support.ports import wait_until
from tests.support.system import read_metrics

pytestmark = pytest.mark.timeout(600)

IMAGES = "SELECT source, image, state FROM mirrors_runningimage WHERE cluster = 'store' AND namespace = '{namespace}'"


class Watched:
    """A release that watches one namespace of two."""

    def __init__(self, release: Release, shop: str, other: str) -> None:
        self.release, self.shop, self.other = release, shop, other
        self._cluster = release.cluster

    def images(self, namespace: str) -> list[tuple[Any, ...]]:
        return query(self._database_url(), IMAGES.format(namespace=namespace))

    def metrics(self) -> dict[str, float]:
        (pod,) = self._cluster.node.pods(self.release.namespace, "watcher")
        return read_metrics(urllib3.request("GET", f"http://{pod.address}:8002/metrics", timeout=10).data.decode())

    def may(self, verb: str, resource: str, namespace: str) -> bool:
        """Whether the watcher's account may do it, as the API server says."""
        account = f"system:serviceaccount:{self.release.namespace}:{self.release.fullname}-watcher"
        said = self._cluster.kubectl("auth", "can-i", verb, resource, "-n", namespace, "--as", account, check=False)
        return said.startswith("yes")

    def _database_url(self) -> str:
        namespace = self.release.namespace
        secret = self._cluster.api.get(f"/api/v1/namespaces/{namespace}/secrets/{self.release.fullname}-postgresql")
        password = base64.b64decode(secret["data"]["password"]).decode()
        (pod,) = self._cluster.node.pods(namespace, "postgresql")
        return f"postgres://swapper:{password}@{pod.address}:5432/swapper"


@pytest.fixture(scope="module")
def watched(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    shop, other = cluster.namespace("shop"), cluster.namespace("other")
    config = {"clusterName": "store", "watcher": {"namespaces": [shop]}}
    with installed(cluster, tmp_path_factory.mktemp("watched"), config=config) as release:
        yield Watched(release, shop, other)


def test_it_writes_what_runs_in_its_namespaces_alone(watched: Watched) -> None:
    release = watched.release
    image = release.load("team/app")
    for namespace in (watched.other, watched.shop):
        release.pod(namespace, image)
    release.wait_until_mirrored(watched.shop, image)
    mirror = release.mirror_of(image)

    def running() -> bool:
        return {(image, image, "running"), (image, mirror, "running")} <= set(watched.images(watched.shop))

    wait_until(running, timeout=60, what="rows of the image and of its mirror")
    assert watched.images(watched.other) == []


def test_it_leads_without_a_problem(watched: Watched) -> None:
    """Each kind that it asks for is one that its roles name."""
    wait_until(lambda: watched.metrics().get("swapper_watcher_leads") == 1, timeout=60, what="the watcher that leads")
    assert watched.metrics()["swapper_watcher_problem"] == 0


@pytest.mark.parametrize("verb", ["get", "list", "watch"])
def test_its_account_reads_no_secret(verb: str, watched: Watched) -> None:
    assert watched.may(verb, "pods", watched.shop)
    assert watched.may(verb, "cronjobs.batch", watched.shop)
    assert watched.may(verb, "nodes", watched.shop)
    for resource in ("secrets", "configmaps", "serviceaccounts"):
        assert not watched.may(verb, resource, watched.shop), resource
    assert not watched.may(verb, "pods", watched.other)
