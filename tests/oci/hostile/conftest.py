"""Public and internal names, as the engine of these tests resolves them."""

from __future__ import annotations

import pytest

from tests.oci.conftest import PUBLIC, Internet


@pytest.fixture(autouse=True)
def names(internet: Internet) -> None:
    internet.name("registry.test.", PUBLIC)
    internet.name("inside.test.", "10.0.0.1")
    internet.name("turns.test.", [PUBLIC, "127.0.0.1"])
    internet.name("localhost.", "127.0.0.1")
