"""A namespace for each test, in which the commands may do what our documentation gives them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.installation.support import HOOKS, Site
from tests.support.controlplane import ControlPlane


@pytest.fixture
def site(plane: ControlPlane) -> Iterator[Site]:
    site = Site(plane)
    site.permit()
    yield site
    # It belongs to the whole cluster, and its webhook has ended.
    if any(item["metadata"]["name"] == site.configuration for item in plane.request("GET", HOOKS)["items"]):
        site.unregister()
