"""A TCP proxy that simulates a network on the loopback: a round-trip time, a rate for each connection, and cut
connections.

Run it as a separate process: ``python -m benchmarks.copies.delay UPSTREAM_PORT RTT_MS BYTES_PER_SECOND DROP_BYTES``
(0: unlimited, never). The first line of its output is its port. For each line of input, it prints the number of HTTP
requests since the previous line.
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
"""The maximum number of bytes in flight in one direction of a connection, as with a large TCP window."""

REQUEST = re.compile(rb"(?:GET|HEAD|POST|PUT|PATCH|DELETE) /")


@dataclass(frozen=True, slots=True)
class Network:
    """A simulated network. ``rtt`` is in seconds; ``drop`` is the bytes after which a response's connection is cut."""

    port: int
    rtt: float = 0.0
    bytes_per_second: float = 0.0
    drop: int = 0


class _End(asyncio.Protocol):
    """One end of a connection. It holds received bytes until they would have arrived over the network. After that, the
    other end sends them."""

    def __init__(self, network: Network, limit: int = 0) -> None:
        self._network = network
        self._limit = limit
        self._is_cut = False
        self._waiting: deque[tuple[float, bytes]] = deque()
        self._bytes = self._total = 0
        self._free_at = self._loop_time() + network.rtt
        """The handshake takes a round trip, which the handshake on the loopback did not."""
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
        """Schedule data to be sent; an empty piece closes the connection."""
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
        """The client's end. It holds received bytes until the connection to the registry is established."""

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
    """A running proxy. ``host`` is its host as in image references."""

    host: str
    process: Popen[str]

    def requests(self) -> int:
        """Return the number of HTTP requests since the last call."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())


@contextmanager
def proxy(network: Network) -> Iterator[Proxy]:
    """Run a proxy until the block ends."""
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
