"""Connections that an index will need are opened while it is being read, and no others."""

from __future__ import annotations

import threading

import pytest

from mirrors.demo.handler import Handler
from mirrors.demo.images import ImageBuilder, sample_image
from mirrors.images import ImageRef
from mirrors.oci import CopyRequest, Engine
from tests.oci.conftest import PUBLIC, Internet, access, copy, port_of, public_access, under_way
from tests.support.faulty_registry import FaultyRegistry, after
from tests.support.ports import wait_until

PLATFORMS = tuple(f"linux/arch{number}" for number in range(12))


@pytest.fixture
def copying(internet: Internet, source: FaultyRegistry, target: FaultyRegistry) -> CopyRequest:
    """A request to copy from an internet registry, whose connections are counted, to a registry on this machine."""
    internet.name("registry.test.", PUBLIC)
    there = ImageRef.parse(f"registry.test:{port_of(source)}/app:1.0")
    here = ImageRef.parse(f"{target.host}/app:1.0")
    return CopyRequest(there, here, public_access(port_of(source)), access(target.host))


def test_connections_for_manifests_are_opened_while_the_index_is_read(
    engine: Engine, internet: Internet, source: FaultyRegistry, target: FaultyRegistry, copying: CopyRequest
) -> None:
    image = sample_image(platforms=PLATFORMS, layers=1, layer_bytes=100)
    image.load(source.storage, "app", "1.0")
    release = threading.Event()
    source.on("GET .*/manifests/1.0", after(release))

    with under_way(release, lambda: engine.copy(copying)) as result:
        wait_until(lambda: internet.dialled.count(PUBLIC) >= len(PLATFORMS))
        wait_until(lambda: source.count("GET .*/manifests/1.0") == 1)
        assert source.count("GET .*/manifests/sha256") == 0, "nobody knows yet what it lists"

    assert result.result().target_digest == image.root
    assert internet.dialled.count(PUBLIC) <= engine.settings.requests_per_host


def test_an_image_without_an_index_opens_no_connections_in_advance(
    engine: Engine, internet: Internet, source: FaultyRegistry, target: FaultyRegistry, copying: CopyRequest
) -> None:
    builder = ImageBuilder()
    config = builder.blob(b"{}", "application/vnd.oci.image.config.v1+json")
    image = builder.build(builder.image([builder.blob(b"layer")], config))
    image.load(source.storage, "app", "1.0")
    release = threading.Event()
    source.on("GET .*/manifests/1.0", after(release))

    with under_way(release, lambda: engine.copy(copying)) as result:
        wait_until(lambda: target.count("GET .*/manifests/1.0") == 1)
        assert internet.dialled.count(PUBLIC) == 1

    assert result.result().target_digest == image.root


def test_an_unchanged_image_opens_no_connections_in_advance(
    engine: Engine, internet: Internet, source: FaultyRegistry, target: FaultyRegistry, copying: CopyRequest
) -> None:
    image = sample_image(platforms=PLATFORMS, layers=1, layer_bytes=100)
    image.load(source.storage, "app", "1.0")
    image.load(target.storage, "app", "1.0")

    assert engine.copy(copying).unchanged

    assert internet.dialled.count(PUBLIC) == 1


def test_a_used_connection_is_preferred_to_one_opened_in_advance(
    engine: Engine, source: FaultyRegistry, target: FaultyRegistry
) -> None:
    """It needs no handshake. Connections that are opened in advance are for concurrent requests."""
    image = sample_image(platforms=PLATFORMS, layers=1, layer_bytes=100)
    image.load(source.storage, "app", "1.0")
    ports: list[int] = []

    def noted(handler: Handler) -> bool:
        ports.append(handler.client_address[1])
        return False

    source.on("(HEAD|GET) .*/manifests/1.0", noted, times=2)

    copy(engine, source, target)

    assert len(ports) == 2
    assert ports[0] == ports[1]
