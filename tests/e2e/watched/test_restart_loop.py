"""Controllers that delete swapped pods and that the product does not know, with the installed chart."""

from __future__ import annotations

from typing import Any

import pytest

from tests.e2e.cluster.cluster import Cluster
from tests.e2e.cluster.comparing import ComparingController, comparing
from tests.e2e.cluster.installation import Installation
from tests.e2e.cluster.release import Release
from tests.support.ports import wait_until

pytestmark = pytest.mark.timeout(400)

NOTICED = 150
"""Seconds: five rounds at least five seconds apart, and a turn of the watcher, in all 35 on an idle machine."""


def loops(installation: Installation, namespace: str) -> dict[str, dict[str, Any]]:
    """Return the restart loops of a namespace by workload."""
    rows = installation.get("restart-loops/?page_size=100")
    return {row["workload"]: row for row in rows if row["namespace"] == namespace}


def await_reported(installation: Installation, number: float) -> None:
    name = 'swapper_restart_loops{cluster="store"}'
    wait_until(lambda: installation.metrics().get(name, 0) == number, timeout=30, what=f"a metric of {number} loops")


def test_restart_loops_of_image_comparing_controllers_are_detected_and_stopped(
    cluster: Cluster, installation: Installation, release: Release, shop: str
) -> None:
    image, other = release.load("team/orders"), release.load("team/ledger")
    for each in (image, other):
        release.wait_until_mirrored(shop, each)
    with (
        comparing(cluster.api, shop, "orders", image) as orders,
        comparing(cluster.api, shop, "ledger", other, replicas=3) as ledger,
    ):
        wait_until(lambda: len(loops(installation, shop)) == 2, timeout=NOTICED, what="both restart loops")
        for controller in (orders, ledger):
            wait_until(lambda one=controller: one.rests(5), timeout=60, what="a controller at rest")  # type: ignore[misc]
            assert_it_keeps_its_source(controller, loops(installation, shop), release)
        await_reported(installation, 2)
        assert "restart loop" in installation.page().lower(), "the dashboard reports it"
        (webhook,) = cluster.node.pods(release.namespace, "app")
        assert '"reason":"restart-loop"' in webhook.log.read_text()
        assert release.image_of_new_pod(shop, image) == release.mirror_of(image), "pods of others are swapped as before"

        deleted = orders.deleted
        assert installation.post(f"restart-loops/{loops(installation, shop)['orders']['id']}/release/")["released_at"]

        def is_swapped_again() -> bool:
            if orders.rests(1):
                cluster.api.delete(f"/api/v1/namespaces/{shop}/pods/orders-0")
            return orders.deleted > deleted

        wait_until(is_swapped_again, timeout=60, what="a pod that is swapped again")
        await_reported(installation, 1)


def assert_it_keeps_its_source(
    controller: ComparingController, found: dict[str, dict[str, Any]], release: Release
) -> None:
    """Check that at least five pods were deleted, and that the newest pods have the image that the controller wrote."""
    loop = found[controller.workload]
    assert controller.deleted >= 5
    assert controller.created[-controller.replicas :] == [controller.image] * controller.replicas
    assert (loop["workload_kind"], loop["count"], loop["released_at"]) == ("ConfigMap", 5, None)
    assert (loop["source"], loop["image"]) == (controller.image, release.mirror_of(controller.image))
