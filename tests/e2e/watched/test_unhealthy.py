"""A target that nodes cannot pull from, with the installed chart: pods keep their source until a pull succeeds."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any

import pytest

from tests.e2e.cluster.cluster import Cluster
from tests.e2e.cluster.installation import Installation
from tests.e2e.cluster.release import Release
from tests.e2e.watched.conftest import RACKS
from tests.e2e.watched.test_failing_pulls import SEEN, failures, has_manifest, state_of
from tests.support.ports import wait_until
from tests.watcher.objects import Objects

pytestmark = pytest.mark.timeout(400)

SIX_MINUTES_LATER = "UPDATE mirrors_targethealth SET changed_at = changed_at - interval '6 minutes'"
"""SQL that backdates the last change of the target's health, so that its state becomes ``testing`` immediately."""


class Target:
    """The health of the release's target, and pods on nodes for which the test acts as the kubelet."""

    def __init__(self, cluster: Cluster, installation: Installation, namespace: str) -> None:
        self.installation, self.release = installation, installation.release
        self._objects, self._namespace = Objects(cluster.api), namespace
        self._pods = f"/api/v1/namespaces/{namespace}/pods"

    def health(self) -> dict[str, Any]:
        """Return the health of the target; empty if the target has had no failures."""
        return next(iter(self.installation.get("target-health/")), {})

    def is_in(self, state: str) -> bool:
        return bool(self.health().get("state") == state)

    def await_state(self, state: str) -> dict[str, Any]:
        wait_until(lambda: self.is_in(state), timeout=SEEN, what=f"a target that is {state}")
        return self.health()

    def pod(self, name: str, image: str, node: str) -> str:
        """Create a pod on the node, and return its image."""
        self._objects.pod(self._namespace, name, image, node=node)
        return str(self._objects.api.get(f"{self._pods}/{name}")["spec"]["containers"][0]["image"])

    def report(self, name: str, image: str, state: str = "") -> None:
        """Report a pod as a kubelet does: in one of the states of failing pulls, or as running."""
        waiting = state_of(state, image) if state else ("", "")
        self._objects.report(self._namespace, name, image, waiting=waiting)

    def fail(self, image: str, state: str) -> dict[str, Any]:
        """Create a swapped pod of the image on each rack, and report that it cannot pull. Return the resulting
        health."""
        health = self.health()
        if health:
            # Pods from before a recovery do not count, and the times of pods are whole seconds.
            changed_at = datetime.fromisoformat(health["changed_at"]).timestamp()
            wait_until(lambda: time.time() > changed_at + 1, what="the next second")
        mirror = self.release.mirror_of(image)
        for rack in RACKS:
            assert self.pod(f"fails-{rack}", image, rack) == mirror
            self.report(f"fails-{rack}", mirror, state)
        return self.await_state("unhealthy")


@pytest.fixture
def target(cluster: Cluster, installation: Installation, shop: str) -> Target:
    return Target(cluster, installation, shop)


def reported(installation: Installation) -> float:
    name = f'swapper_target_unhealthy{{cluster="store",registry="{installation.release.target}"}}'
    return installation.metrics().get(name, 0)


def mirrored(release: Release, namespace: str, repository: str) -> str:
    image = release.load(repository)
    release.wait_until_mirrored(namespace, image)
    return image


def test_a_target_that_denies_pulls_is_unhealthy_until_a_test_pod_starts(
    cluster: Cluster, target: Target, installation: Installation, release: Release, shop: str
) -> None:
    image = mirrored(release, shop, "team/refused")
    mirror = release.mirror_of(image)
    health = target.fail(image, "forbidden")
    assert (health["cause"], health["nodes"]) == ("denied", list(RACKS))
    assert "403 Forbidden" in health["message"] and "AmazonEC2ContainerRegistryPullOnly" in health["advice"]

    wait_until(lambda: release.image_of_new_pod(shop, image) == image, timeout=10, what="a kept source")
    (webhook,) = cluster.node.pods(release.namespace, "app")
    assert '"reason":"target-unhealthy"' in webhook.log.read_text()
    wait_until(lambda: reported(installation) == 1, timeout=30, what="the metric")
    page = installation.page()
    assert f"cannot pull from {release.target}" in page and "AmazonEC2ContainerRegistryPullOnly" in page
    other = release.load("team/meanwhile")
    assert release.image_of_new_pod(shop, other) == other
    wait_until(lambda: has_manifest(release.mirror_of(other)), what="a copy, which nodes have no part in")

    installation.rows(SIX_MINUTES_LATER)
    target.await_state("testing")
    tests: list[str] = []

    def has_test() -> bool:
        name = f"test-{len(tests)}"
        tests.append(target.pod(name, image, RACKS[0]))
        return tests[-1] == mirror

    wait_until(has_test, timeout=90, what="a pod that is swapped as a test")
    kept = [release.image_of_new_pod(shop, image) for _ in range(8)]
    assert kept.count(image) >= 6, "a pod a minute of each process"
    target.report(f"test-{len(tests) - 1}", mirror)
    target.await_state("healthy")
    wait_until(lambda: release.image_of_new_pod(shop, image) == mirror, timeout=10, what="a swapped pod")
    assert {release.image_of_new_pod(shop, other) for _ in range(3)} == {release.mirror_of(other)}
    wait_until(lambda: reported(installation) == 0, timeout=30, what="the metric of a healthy target")
    assert f"cannot pull from {release.target}" not in installation.page()


def test_an_unreachable_target_is_unhealthy_until_a_waiting_pod_starts(
    target: Target, installation: Installation, release: Release, shop: str
) -> None:
    image = mirrored(release, shop, "team/unreachable")
    mirror = release.mirror_of(image)
    health = target.fail(image, "crio-away")
    assert (health["cause"], health["nodes"]) == ("unreachable", list(RACKS))
    assert "firewall" in installation.page()
    wait_until(lambda: release.image_of_new_pod(shop, image) == image, timeout=10, what="a kept source")

    target.report(f"fails-{RACKS[1]}", mirror)
    target.await_state("healthy")
    wait_until(lambda: release.image_of_new_pod(shop, image) == mirror, timeout=10, what="a swapped pod")
    (row,) = failures(installation, shop).values()
    assert row["nodes"] == 1, "the other pod has still to try again, and changes nothing"


def test_pods_are_swapped_to_an_unhealthy_target_if_configured(
    target: Target, installation: Installation, release: Release, shop: str
) -> None:
    image = mirrored(release, shop, "team/insists")
    installation.configure(onTargetUnhealthy="swap")
    try:
        health = target.fail(image, "login")
        wait_until(lambda: reported(installation) == 1, timeout=30, what="the metric")
        assert f"cannot pull from {release.target}" in installation.page()
        assert {release.image_of_new_pod(shop, image) for _ in range(5)} == {release.mirror_of(image)}

        assert installation.post(f"target-health/{health['id']}/declare-healthy/")["state"] == "healthy"
        wait_until(lambda: reported(installation) == 0, timeout=30, what="the metric of a healthy target")
    finally:
        installation.configure(onTargetUnhealthy="keep", waits=False)
