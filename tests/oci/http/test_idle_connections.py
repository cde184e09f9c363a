"""Connections that were idle for long: a gateway may have forgotten them without a word to either side."""

from __future__ import annotations

import os
import socket
import struct
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from mirrors.demo.images import OCI_CONFIG, ImageBuilder, SampleImage
from mirrors.images import ImageRef
from mirrors.oci import Engine
from tests.oci.conftest import MakeEngine, request
from tests.oci.samples import is_complete
from tests.support.faulty_registry import FaultyRegistry

IMAGES = 4


class Gateway:
    """Passes connections on, until it forgets them: then it answers the next packet of each with a reset."""

    def __init__(self, registry: FaultyRegistry) -> None:
        host, _, port = registry.host.partition(":")
        self._behind = (host, int(port))
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.host = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self.opened = self.resets = self._forgotten = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def forget(self) -> None:
        self._forgotten = self.opened

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self.opened += 1
                server = socket.create_connection(self._behind)
                threading.Thread(target=self._forward, args=(client, server, self.opened), daemon=True).start()
                threading.Thread(target=self._back, args=(server, client), daemon=True).start()

    def _forward(self, client: socket.socket, server: socket.socket, number: int) -> None:
        with suppress(OSError), server:
            while data := client.recv(65_536):
                if number <= self._forgotten:
                    self.resets += 1
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    client.close()
                    return
                server.sendall(data)

    @staticmethod
    def _back(server: socket.socket, client: socket.socket) -> None:
        with suppress(OSError):
            while data := server.recv(65_536):
                client.sendall(data)


@pytest.fixture
def gateways(source: FaultyRegistry, target: FaultyRegistry) -> Iterator[list[Gateway]]:
    """In front of source and target."""
    both = [Gateway(source), Gateway(target)]
    yield both
    for gateway in both:
        gateway.close()


def image_with_many_layers(number: int) -> SampleImage:
    builder = ImageBuilder()
    layers = [builder.blob(os.urandom(70_000)) for _ in range(12)]
    return builder.build(builder.image(layers, builder.blob(b'{"n":%d}' % number, OCI_CONFIG)))


def copy(engine: Engine, gateways: list[Gateway], number: int) -> None:
    source, target = (ImageRef.parse(f"{gateway.host}/app{number}:1.0") for gateway in gateways)
    engine.copy(request(source, target))


def test_forgotten_connections_cost_one_try_and_not_one_each(
    engine: Engine, source: FaultyRegistry, target: FaultyRegistry, gateways: list[Gateway]
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


def test_a_connection_that_was_idle_for_too_long_is_not_used_again(
    make_engine: MakeEngine,
    source: FaultyRegistry,
    target: FaultyRegistry,
    gateways: list[Gateway],
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
