"""A TCP proxy that makes the loopback a network: a round-trip time, bytes a second for each connection, broken lines.

Run as a process of its own: ``python -m benchmarks.copies.delay UPSTREAM_PORT RTT_MS BYTES_PER_SECOND DROP_BYTES``
(0: unlimited, never). The first line of its output is its port. It answers each line on its input with the number of
HTTP requests since the line before.
"""

from __future__ import annotations

import asyncio
import re
import sys
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from subprocess import PIPE, Popen

WINDOW = 4 * 1024 * 1024
"""Bytes under way in one direction of a connection, as a large TCP window has."""

REQUEST = re.compile(rb"(?:GET|HEAD|POST|PUT|PATCH|DELETE) /")


@dataclass(frozen=True, slots=True)
class Network:
    """``rtt`` is in seconds; ``drop`` the bytes after which an answer's connection breaks off."""

    port: int
    rtt: float = 0.0
    bytes_per_second: float = 0.0
    drop: int = 0


class _End(asyncio.Protocol):
    """One end of a connection. What arrives waits here until it would have arrived over the network, and is then sent
    from the other end."""

    def __init__(self, network: Network, limit: int = 0) -> None:
        self._network = network
        self._limit = limit
        self._is_cut = False
        self._waiting: deque[tuple[float, bytes]] = deque()
        self._bytes = self._total = 0
        self._free_at = self._loop_time() + network.rtt
        """The handshake takes a round trip; the loopback's own took none."""
        self._timer: asyncio.TimerHandle | None = None
        self.requests = 0
        self.transport: asyncio.Transport | None = None
        self.other: _End | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.set_write_buffer_limits(high=WINDOW)

    def data_received(self, data: bytes) -> None:
        if self._is_cut:
            return
        self.requests += bool(REQUEST.match(data))
        self._total += len(data)
        self._put(data)
        if self._limit and self._total >= self._limit:
            self._is_cut = True
            self._put(b"")
        elif self._bytes > WINDOW and self.transport:
            self.transport.pause_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        self._put(b"")

    def _put(self, data: bytes) -> None:
        """An empty piece is the end."""
        now = max(self._loop_time(), self._free_at)
        if self._network.bytes_per_second:
            now += len(data) / self._network.bytes_per_second
        self._free_at = now
        self._waiting.append((now + self._network.rtt / 2, data))
        self._bytes += len(data)
        if self._timer is None:
            self._send()

    def _send(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = None
        while self._waiting and self._waiting[0][0] <= loop.time():
            data = self._waiting.popleft()[1]
            self._bytes -= len(data)
            if self.other is not None and self.other.transport is not None:
                self.other.transport.write(data) if data else self.other.transport.close()
        if self._waiting:
            self._timer = loop.call_at(self._waiting[0][0], self._send)
        if self.transport and self._bytes <= WINDOW and not self.transport.is_closing():
            self.transport.resume_reading()

    @staticmethod
    def _loop_time() -> float:
        return asyncio.get_running_loop().time()


async def _serve(network: Network) -> None:
    loop = asyncio.get_running_loop()
    clients: list[_Client] = []

    class _Client(_End):
        """The end of a client: what comes before the registry is connected to waits."""

        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            super().connection_made(transport)
            clients.append(self)
            self._connecting = loop.create_task(self._connect())

        async def _connect(self) -> None:
            there = _End(network, network.drop)
            there.other = self
            await loop.create_connection(lambda: there, "127.0.0.1", network.port)
            self.other = there
            self._send()

        def _send(self) -> None:
            if self.other is not None:
                super()._send()

    server = await loop.create_server(lambda: _Client(network), "127.0.0.1", 0, backlog=256)
    print(server.sockets[0].getsockname()[1], flush=True)
    while await loop.run_in_executor(None, sys.stdin.readline):
        print(sum(client.requests for client in clients), flush=True)
        clients.clear()


@dataclass(frozen=True, slots=True)
class Proxy:
    """A running one. ``host`` is as it appears in image references."""

    host: str
    process: Popen[str]

    def requests(self) -> int:
        """HTTP requests since it was asked last."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())


@contextmanager
def proxy(network: Network) -> Iterator[Proxy]:
    """It runs until the block ends."""
    numbers = (network.port, network.rtt * 1000, network.bytes_per_second, network.drop)
    command = [sys.executable, "-m", "benchmarks.copies.delay", *map(str, numbers)]
    with Popen(command, stdin=PIPE, stdout=PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield Proxy(f"127.0.0.1:{int(process.stdout.readline())}", process)
        finally:
            process.kill()


if __name__ == "__main__":
    port, rtt, rate, drop = sys.argv[1:]
    asyncio.run(_serve(Network(int(port), float(rtt) / 1000, float(rate), int(drop))))
