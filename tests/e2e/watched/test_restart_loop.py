"""A controller that deletes swapped pods, and that no list of ours knows, behind the installed chart."""

from __future__ import annotations

from typing import Any

import pytest

from tests.e2e.cluster.cluster import Cluster
from tests.e2e.cluster.comparing import comparing
from tests.e2e.cluster.installation import Installation
from tests.e2e.cluster.release import Release
from tests.support.ports import wait_until

pytestmark = pytest.mark.timeout(400)

NOTICED = 150
"""Seconds: five rounds at least five seconds apart, and a turn of the watcher; on an idle machine 35 in all."""


def loops(installation: Installation, namespace: str) -> list[dict[str, Any]]:
    return [row for row in installation.get("restart-loops/") if row["namespace"] == namespace]


def reported(installation: Installation) -> float:
    return installation.metrics().get('swapper_restart_loops{cluster="store"}', 0)


@pytest.mark.parametrize("replicas", [1, 3])
def test_a_controller_that_compares_images_comes_to_rest(
    replicas: int, cluster: Cluster, installation: Installation, release: Release, shop: str
) -> None:
    image = release.load(f"team/orders-{replicas}")
    mirror = release.mirror_of(image)
    release.wait_until_mirrored(shop, image)
    before = reported(installation)

    with comparing(cluster.api, shop, "orders", image, replicas=replicas) as controller:
        wait_until(lambda: loops(installation, shop), timeout=NOTICED, what="a restart loop")
        wait_until(lambda: controller.rests(8), timeout=60, what="a controller that has nothing to do")

        assert controller.created[-replicas:] == [image] * replicas
        (loop,) = loops(installation, shop)
        assert (loop["workload_kind"], loop["workload"], loop["count"]) == ("ConfigMap", "orders", 5)
        assert (loop["source"], loop["image"], loop["released_at"]) == (image, mirror, None)
        wait_until(lambda: reported(installation) == before + 1, timeout=30, what="the metric")
        assert "restart loop" in installation.page().lower(), "the dashboard reports it"
        assert release.image_of_new_pod(shop, image) == mirror, "pods of others are swapped as before"

        deleted = controller.deleted
        assert installation.post(f"restart-loops/{loop['id']}/release/")["released_at"]

        def is_swapped_again() -> bool:
            if controller.rests(1):
                cluster.api.delete(f"/api/v1/namespaces/{shop}/pods/orders-0")
            return controller.deleted > deleted

        wait_until(is_swapped_again, timeout=60, what="a pod that is swapped again")
        wait_until(lambda: reported(installation) == before, timeout=30, what="the metric of no loop")
