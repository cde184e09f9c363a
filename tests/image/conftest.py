"""The image, built once for all of its tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.image.builder import Image, built
from tests.image.container import Container
from tests.support.system import write_config

SECRET_KEY = "only-for-tests-of-the-image-0123456789-abcdefghijklmnopqrstuvwxyz"
PASSWORD = "only-for-tests-of-the-image"


@pytest.fixture(scope="session")
def image() -> Iterator[Image]:
    with built() as image:
        yield image


@pytest.fixture
def container(image: Image, tmp_path: Path) -> Container:
    """A container with a configuration file in its data directory."""
    environment = {
        "SWAPPER_CONFIG": "/data/config.yaml",
        "SWAPPER_SECRET_KEY": SECRET_KEY,
        "SWAPPER_ADMIN_PASSWORD": PASSWORD,
    }
    container = Container(image, tmp_path, environment=environment)
    write_config(tmp_path / "data/config.yaml", target="mirror.example.com:5000").chmod(0o644)
    return container
