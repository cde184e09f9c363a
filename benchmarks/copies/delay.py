"""A TCP proxy that makes the loopback a network: a round-trip time, bytes a second for each connection, broken lines.

Run as a process of its own: ``python -m benchmarks.copies.delay UPSTREAM_PORT RTT_MS BYTES_PER_SECOND DROP_BYTES``
(0: unlimited, never). The first line of its output is its port. It answers each line on its input with the number of
HTTP requests since the line before.
"""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from subprocess import PIPE, Popen

CHUNK = 256 * 1024
"""Bytes read at once: few turns of the event loop for large blobs."""

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


@dataclass(slots=True)
class _Line:
    """One direction: what was read waits until it would have arrived."""

    network: Network
    writer: asyncio.StreamWriter
    opened: float
    waiting: asyncio.Queue[tuple[float, bytes]] = field(default_factory=lambda: asyncio.Queue(WINDOW // CHUNK))
    free_at: float = 0.0

    async def read(self, reader: asyncio.StreamReader, limit: int, on_chunk: list[int]) -> None:
        loop = asyncio.get_running_loop()
        total = 0
        while data := await reader.read(CHUNK):
            if REQUEST.match(data):
                on_chunk[0] += 1
            total += len(data)
            now = max(loop.time(), self.opened, self.free_at)
            if self.network.bytes_per_second:
                self.free_at = now + len(data) / self.network.bytes_per_second
                now = self.free_at
            await self.waiting.put((now + self.network.rtt / 2, data))
            if limit and total >= limit:
                break
        await self.waiting.put((max(loop.time(), self.opened, self.free_at) + self.network.rtt / 2, b""))

    async def write(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due, data = await self.waiting.get()
            if (pause := due - loop.time()) > 0:
                await asyncio.sleep(pause)
            if not data:
                break
            self.writer.write(data)
            await self.writer.drain()
        if self.writer.can_write_eof():
            self.writer.write_eof()


async def _serve(network: Network) -> None:
    requests = [0]
    running = set()  # The loop itself refers to its tasks weakly.

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        running.add(task := asyncio.current_task())
        try:
            await passed_on(reader, writer)
        finally:
            running.discard(task)

    async def passed_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, away = await asyncio.open_connection("127.0.0.1", network.port)
        # The handshake takes a round trip; the loopback's own took none.
        opened = asyncio.get_running_loop().time() + network.rtt
        up, down = _Line(network, away, opened), _Line(network, writer, opened)
        parts = [up.read(reader, 0, requests), up.write(), down.read(there, network.drop, [0])]
        tasks = [asyncio.ensure_future(part) for part in parts]
        with suppress(OSError):
            await down.write()
        for task in tasks:
            task.cancel()
        for end in (writer, away):
            end.close()
        await asyncio.gather(*tasks, return_exceptions=True)

    server = await asyncio.start_server(connected, "127.0.0.1", 0, limit=CHUNK)
    print(server.sockets[0].getsockname()[1], flush=True)
    loop = asyncio.get_running_loop()
    while await loop.run_in_executor(None, sys.stdin.readline):
        print(requests[0], flush=True)
        requests[0] = 0


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
