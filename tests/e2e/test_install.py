"""The chart on a real API server: installed, used, upgraded, rolled back, removed."""

from __future__ import annotations

import pytest

from tests.e2e.cluster.cluster import Cluster
from tests.e2e.cluster.release import Release

pytestmark = pytest.mark.timeout(400)


def test_a_pod_is_swapped_once_its_image_is_mirrored(cluster: Cluster, release: Release) -> None:
    shop = cluster.namespace("shop")
    image = release.load("team/app")

    assert release.image_of_new_pod(shop, image) == image, "not mirrored yet"
    release.wait_until_mirrored(shop, image)
