"""Connections that were idle for long: a gateway may have forgotten them without notifying either side."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from mirrors.demo.images import OCI_CONFIG, ImageBuilder, SampleImage
from mirrors.images import ImageRef
from mirrors.oci import Engine
from tests.oci.conftest import MakeEngine, port_of, request
from tests.oci.samples import is_complete
from tests.support.faulty_registry import FaultyRegistry
from tests.support.proxy import Proxy

IMAGES = 4


@pytest.fixture
def gateways(source: FaultyRegistry, target: FaultyRegistry) -> Iterator[list[Proxy]]:
    """Proxies in front of source and target."""
    with Proxy(port_of(source)) as before_source, Proxy(port_of(target)) as before_target:
        yield [before_source, before_target]


def image_with_many_layers(number: int) -> SampleImage:
    builder = ImageBuilder()
    layers = [builder.blob(os.urandom(70_000)) for _ in range(12)]
    return builder.build(builder.image(layers, builder.blob(b'{"n":%d}' % number, OCI_CONFIG)))


def copy(engine: Engine, gateways: list[Proxy], number: int) -> None:
    source, target = (ImageRef.parse(f"127.0.0.1:{gateway.port}/app{number}:1.0") for gateway in gateways)
    engine.copy(request(source, target))


def test_dropped_idle_connections_do_not_each_use_a_retry(
    engine: Engine, source: FaultyRegistry, target: FaultyRegistry, gateways: list[Proxy]
) -> None:
    images = [image_with_many_layers(number) for number in range(IMAGES + 1)]
    for number, image in enumerate(images):
        image.load(source.storage, f"app{number}", "1.0")
    with ThreadPoolExecutor(IMAGES) as pool:
        list(pool.map(lambda number: copy(engine, gateways, number), range(IMAGES)))
    assert min(gateway.opened for gateway in gateways) > engine.settings.retries

    for gateway in gateways:
        gateway.forget()
    copy(engine, gateways, IMAGES)

    assert is_complete(target, images[IMAGES], f"app{IMAGES}")
    assert max(gateway.resets for gateway in gateways) <= engine.settings.retries


def test_a_connection_idle_for_too_long_is_not_reused(
    make_engine: MakeEngine,
    source: FaultyRegistry,
    target: FaultyRegistry,
    gateways: list[Proxy],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for number in range(2):
        image_with_many_layers(number).load(source.storage, f"app{number}", "1.0")
    engine = make_engine()
    copy(engine, gateways, 0)
    monkeypatch.setattr("mirrors.oci.http.connections.MAX_IDLE_SECONDS", 0.0)

    for gateway in gateways:
        gateway.forget()
    copy(engine, gateways, 1)

    assert [gateway.resets for gateway in gateways] == [0, 0]
