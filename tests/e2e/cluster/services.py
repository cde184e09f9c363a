"""Services: this process listens on each cluster IP, and forwards connections to a ready pod."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import threading
from collections.abc import Callable, Sequence
from typing import Any

from tests.e2e.cluster.pods import RunningPod


class ServiceNetwork:
    """A thread with one event loop for all Services. ``pods`` returns the running pods."""

    def __init__(self, pods: Callable[[], Sequence[RunningPod]]) -> None:
        self._pods = pods
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="services", daemon=True)
        self._servers: dict[tuple[str, int], asyncio.Server] = {}
        self._turn = itertools.count()

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    async def _close(self) -> None:
        for server in self._servers.values():
            server.close()
        passing = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in passing:
            task.cancel()
        await asyncio.gather(*passing, return_exceptions=True)

    def follow(self, services: Sequence[Any]) -> None:
        """Listen for the given Services, and for no others."""
        wanted = {
            (service["spec"]["clusterIP"], port["port"]): (service, port)
            for service in services
            if service["spec"].get("clusterIP", "None") != "None" and service["spec"].get("selector")
            for port in service["spec"]["ports"]
        }
        for address in self._servers.keys() - wanted.keys():
            self._loop.call_soon_threadsafe(self._servers.pop(address).close)
        for address in wanted.keys() - self._servers.keys():
            future = asyncio.run_coroutine_threadsafe(self._listen(*address, *wanted[address]), self._loop)
            self._servers[address] = future.result(10)

    async def _listen(self, host: str, port: int, service: Any, spec: Any) -> asyncio.Server:
        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with contextlib.suppress(asyncio.CancelledError):
                await self._pass_on(service, spec, reader, writer)

        return await asyncio.start_server(connected, host, port)

    async def _pass_on(
        self, service: Any, spec: Any, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        pods = [pod for pod in self._pods() if pod.is_ready and _selects(service, pod)]
        if not pods:
            writer.transport.abort()
            return
        pod = pods[next(self._turn) % len(pods)]
        try:
            there = await asyncio.open_connection(pod.address, _port_of(pod, spec.get("targetPort", spec["port"])))
        except OSError:
            writer.transport.abort()
            return
        await asyncio.gather(_pump(reader, there[1]), _pump(there[0], writer))


def _selects(service: Any, pod: RunningPod) -> bool:
    selector = service["spec"]["selector"]
    return bool(service["metadata"]["namespace"] == pod.namespace and selector.items() <= pod.labels.items())


def _port_of(pod: RunningPod, target: int | str) -> int:
    ports = [port for container in pod.pod["spec"]["containers"] for port in container.get("ports") or []]
    return next((port["containerPort"] for port in ports if target in (port.get("name"), port["containerPort"])), 0)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()
        return
    writer.transport.abort()
