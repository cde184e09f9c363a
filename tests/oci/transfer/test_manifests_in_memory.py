"""The memory of a worker that the manifests of one image can take, whatever they contain."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from mirrors.demo.handler import Handler
from mirrors.demo.images import OCI_CONFIG, OCI_MANIFEST, ImageBuilder
from mirrors.oci import Engine, RegistryError
from mirrors.oci.common import descriptors, manifests
from mirrors.oci.common.engine_settings import MIB
from tests.oci.conftest import MakeEngine, copy
from tests.support.faulty_registry import FaultyRegistry, counted

PLATFORM_MANIFESTS = "GET .*/manifests/sha256"


def padded(build: ImageBuilder, config: dict[str, Any], number: int, size: int) -> dict[str, Any]:
    """Return a manifest of at least `size` bytes."""
    document = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config, "layers": []}
    return build.manifest({**document, "annotations": {"number": str(number), "padding": " " * size}})


def load(registry: FaultyRegistry, count: int, padding: int, **said: Any) -> None:
    build = ImageBuilder()
    config = build.blob(b"{}", OCI_CONFIG)
    children = [{**padded(build, config, number, padding), **said} for number in range(count)]
    build.build(build.index(children)).load(registry.storage, "app", "1.0")


def test_at_most_four_large_manifests_are_read_concurrently(
    engine: Engine, source: FaultyRegistry, target: FaultyRegistry
) -> None:
    load(source, 12, MIB)
    source.on(PLATFORM_MANIFESTS, counted, times=99)

    copy(engine, source, target)

    assert source.count(PLATFORM_MANIFESTS) == 12
    assert 1 < source.in_flight.most <= 4


def test_a_manifest_larger_than_its_descriptor_size_is_rejected(
    engine: Engine, source: FaultyRegistry, target: FaultyRegistry
) -> None:
    load(source, 1, 3 * MIB, size=1_000)

    with pytest.raises(RegistryError) as caught:
        copy(engine, source, target)

    assert caught.value.code == "too-large"


def test_a_slow_manifest_limits_read_ahead_to_requests_per_image(
    make_engine: MakeEngine, source: FaultyRegistry, target: FaultyRegistry
) -> None:
    engine = make_engine(requests_per_image=4)
    load(source, 12, 0)
    first = source.storage.manifest("app", "1.0")
    assert first is not None
    slow = manifests.parse(first[2], first[1], host="").children[0].digest
    more = threading.Event()
    was_more = []

    def stall(handler: Handler) -> bool:
        was_more.append(more.wait(0.5))
        return False

    def note(handler: Handler) -> bool:
        if source.count(PLATFORM_MANIFESTS) > 4:
            more.set()
        return False

    source.on(PLATFORM_MANIFESTS, note, times=99)
    source.on(f"GET .*/manifests/{slow}", stall)

    copy(engine, source, target)

    assert was_more == [False]
    assert source.count(PLATFORM_MANIFESTS) == 12


def test_a_document_with_too_many_json_values_is_rejected() -> None:
    """Half a million values of two bytes take about 50 MiB when parsed."""
    raw = b'{"x": [' + b",".join([b"{}"] * (manifests.MAX_JSON_COMMAS + 2)) + b"]}"
    for digest in (None, descriptors.digest_of(raw)):
        with pytest.raises(RegistryError) as caught:
            manifests.parse(raw, "application/vnd.example", host="registry.example", digest=digest)
        assert caught.value.code == "too-large"
