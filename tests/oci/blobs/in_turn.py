"""Images in turn to one target: what it was seen to do for the first ones decides how the next ones are copied."""

from __future__ import annotations

import pytest

from mirrors.demo.images import OCI_CONFIG, ImageBuilder, SampleImage
from mirrors.oci import CopyResult, Engine
from tests.oci.conftest import ref, request
from tests.support.faulty_registry import FaultyRegistry

EVER = float("inf")
OWN_MOUNT = "POST .*/second/.*mount=.*from=second"


def small_image(name: str) -> SampleImage:
    """Three small blobs of its own."""
    builder = ImageBuilder()
    layers = [builder.blob(f"{name} {number}".encode()) for number in range(2)]
    return builder.build(builder.image(layers, builder.blob(f'{{"name": "{name}"}}'.encode(), OCI_CONFIG)))


@pytest.fixture
def second(source: FaultyRegistry) -> SampleImage:
    """What the source has beside three images of other repositories."""
    for name in ("first", "other", "third"):
        small_image(name).load(source.storage, name, "1.0")
    image = small_image("second")
    image.load(source.storage, "second", "1.0")
    return image


def copy(engine: Engine, source: FaultyRegistry, target: FaultyRegistry, name: str, **options: object) -> CopyResult:
    return engine.copy(request(ref(source, f"{name}:1.0"), ref(target, f"{name}:1.0"), **options))


def get_known(engine: Engine, source: FaultyRegistry, target: FaultyRegistry) -> None:
    """The target is asked for its traits by the second copy, whose other requests do not wait for that."""
    copy(engine, source, target, "first")
    copy(engine, source, target, "other")
    target.asked.clear()
