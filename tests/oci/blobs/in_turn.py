"""Copy images one after the other to one target, whose behaviour during the first copies decides how later ones
work."""

from __future__ import annotations

import pytest

from mirrors.demo.images import OCI_CONFIG, ImageBuilder, SampleImage
from mirrors.oci import CopyResult, Engine
from tests.oci.conftest import ref, request
from tests.support.faulty_registry import FaultyRegistry

EVER = float("inf")
OWN_MOUNT = "POST .*/second/.*mount=.*from=second"


def small_image(name: str) -> SampleImage:
    """Return an image of three small blobs that no other image has."""
    builder = ImageBuilder()
    layers = [builder.blob(f"{name} {number}".encode()) for number in range(2)]
    return builder.build(builder.image(layers, builder.blob(f'{{"name": "{name}"}}'.encode(), OCI_CONFIG)))


@pytest.fixture
def second(source: FaultyRegistry) -> SampleImage:
    """The fourth image of the source. The other three are in other repositories."""
    for name in ("first", "other", "third"):
        small_image(name).load(source.storage, name, "1.0")
    image = small_image("second")
    image.load(source.storage, "second", "1.0")
    return image


def copy(engine: Engine, source: FaultyRegistry, target: FaultyRegistry, name: str, **options: object) -> CopyResult:
    return engine.copy(request(ref(source, f"{name}:1.0"), ref(target, f"{name}:1.0"), **options))


def get_known(engine: Engine, source: FaultyRegistry, target: FaultyRegistry) -> None:
    """Copy two images, so that the traits of the target are known. The second copy probes them without delaying its
    other requests."""
    copy(engine, source, target, "first")
    copy(engine, source, target, "other")
    target.requests.clear()
