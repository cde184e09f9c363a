"""Opens sockets for one route: to exactly the address that was checked, and under the watch of the calling thread."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from weakref import WeakSet

from urllib3.connection import HTTPConnection

from mirrors.oci.common.errors import RegistryError
from mirrors.oci.http.addresses import Address, resolve
from mirrors.oci.http.watchdog import Watchdog

SOCKET_OPTIONS = (
    (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
)


@dataclass(frozen=True, slots=True)
class Route:
    """How to reach one origin. All requests with the same route share connections."""

    scheme: str
    host: str
    port: int
    dial: tuple[str, int]
    private_allowed: bool
    ca_file: str | None


@dataclass(slots=True)
class Dialer:
    """Opens sockets for one route. `peer_is_private` is whether the newest one is connected to a private address."""

    route: Route
    watchdog: Watchdog
    stall_timeout: float
    peer_is_private: bool = field(default=False, init=False)
    _open: WeakSet[HTTPConnection] = field(default_factory=WeakSet, init=False)
    _reserved: int = field(default=0, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    def track(self, connection: HTTPConnection) -> None:
        with self._lock:
            self._open.add(connection)

    @contextmanager
    def reserve(self, min_open: int) -> Iterator[bool]:
        """Yield whether fewer than `min_open` connections are open or reserved, and if so reserve one inside the
        block."""
        with self._lock:
            is_open = sum(connection.sock is not None for connection in self._open)
            is_needed = is_open + self._reserved < min_open
            self._reserved += is_needed
        try:
            yield is_needed
        finally:
            with self._lock:
                self._reserved -= is_needed

    def abort(self) -> None:
        """Shut down all open connections, so that no thread waits for a peer that no longer responds."""
        with self._lock:
            sockets = [connection.sock for connection in self._open if connection.sock is not None]
        for sock in sockets:
            with suppress(OSError):
                # Not the TLS socket's own method, which would discard its TLS state while another thread reads.
                socket.socket.shutdown(sock, socket.SHUT_RDWR)

    def dial(self, timeout: float) -> socket.socket:
        """Resolve the host once, check every address, and connect to the first one that works. Raises RegistryError."""
        deadline = time.monotonic() + timeout
        host, port = self.route.dial
        addresses = resolve(host, port, private_allowed=self.route.private_allowed, timeout=timeout)
        failure = "no address"
        for address in addresses:
            try:
                sock = self._connect(address, deadline - time.monotonic())
            except OSError as error:
                failure = os.strerror(error.errno) if error.errno else "no response in time"
                continue
            self.peer_is_private = address.is_private
            return sock
        endpoint = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        raise RegistryError("unavailable", f"could not connect to {endpoint}: {failure}", host=self.route.host)

    def _connect(self, address: Address, timeout: float) -> socket.socket:
        if timeout <= 0:
            raise TimeoutError
        sock = socket.socket(address.family, socket.SOCK_STREAM)
        try:
            for option in SOCKET_OPTIONS:
                sock.setsockopt(*option)
            sock.settimeout(timeout)
            sock.connect(address.sockaddr)
            self.watchdog.attach(sock)
        except BaseException:
            sock.close()
            raise
        return sock
