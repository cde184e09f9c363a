"""The watcher of the installed chart: with its own account it writes the running images, and can read nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.cluster.cluster import Cluster
from tests.e2e.cluster.installation import Installation
from tests.e2e.cluster.release import installed
from tests.support.ports import wait_until

pytestmark = pytest.mark.timeout(600)

IMAGES = "SELECT source, image, state FROM mirrors_runningimage WHERE cluster = 'store' AND namespace = '{namespace}'"


class Watched:
    """A release that watches only one of two namespaces."""

    def __init__(self, installation: Installation, shop: str, other: str) -> None:
        self.release, self.shop, self.other = installation.release, shop, other
        self._installation = installation
        self._cluster = self.release.cluster

    def images(self, namespace: str) -> list[tuple[Any, ...]]:
        return self._installation.rows(IMAGES.format(namespace=namespace))

    def metrics(self) -> dict[str, float]:
        return self._installation.metrics("watcher")

    def may(self, verb: str, resource: str, namespace: str) -> bool:
        """Return whether the watcher's account has this permission, according to the API server."""
        account = f"system:serviceaccount:{self.release.namespace}:{self.release.fullname}-watcher"
        output = self._cluster.kubectl("auth", "can-i", verb, resource, "-n", namespace, "--as", account, check=False)
        return output.startswith("yes")


@pytest.fixture(scope="module")
def watched(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    shop, other = cluster.namespace("shop"), cluster.namespace("other")
    config = {"clusterName": "store", "watcher": {"namespaces": [shop]}}
    directory = tmp_path_factory.mktemp("watched")
    with installed(cluster, directory, config=config) as release:
        yield Watched(Installation(release, directory), shop, other)


def test_only_running_images_of_watched_namespaces_are_recorded(watched: Watched) -> None:
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


def test_the_watcher_leads_and_reports_no_problem(watched: Watched) -> None:
    """The watcher's roles contain each kind that it requests."""
    wait_until(lambda: watched.metrics().get("swapper_watcher_leads") == 1, timeout=60, what="the watcher that leads")
    assert watched.metrics()["swapper_watcher_problem"] == 0


def test_the_watcher_log_contains_no_http_client_lines(cluster: Cluster, watched: Watched) -> None:
    """At ``debug``, the level of the chart, the HTTP client used to write several lines for each line of a watch."""
    (pod,) = cluster.node.pods(watched.release.namespace, "watcher")
    assert "This watcher is the leader" in pod.log.read_text()
    assert "receive_response" not in pod.log.read_text()


@pytest.mark.parametrize("verb", ["get", "list", "watch"])
def test_the_watcher_account_cannot_read_secrets_or_other_namespaces(verb: str, watched: Watched) -> None:
    assert watched.may(verb, "pods", watched.shop)
    assert watched.may(verb, "cronjobs.batch", watched.shop)
    assert watched.may(verb, "nodes", watched.shop)
    for resource in ("secrets", "configmaps", "serviceaccounts"):
        assert not watched.may(verb, resource, watched.shop), resource
    assert not watched.may(verb, "pods", watched.other)
