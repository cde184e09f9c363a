"""A namespace for each test, in which the commands have the documented permissions."""

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
    # The configuration is not namespaced, and its webhook no longer runs.
    if any(item["metadata"]["name"] == site.configuration for item in plane.request("GET", HOOKS)["items"]):
        site.unregister()
