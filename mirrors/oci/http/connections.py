"""Connections that go to the very address that was checked, and the pools that keep them open."""

from __future__ import annotations

import logging
import os
import socket
import ssl
import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from queue import LifoQueue
from typing import Any

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, Timeout
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.response import BaseHTTPResponse, HTTPResponse

from mirrors.oci.common.errors import RegistryError
from mirrors.oci.http.dialer import Dialer, Route
from mirrors.oci.http.messages import Response, request_head
from mirrors.oci.http.watchdog import Watchdog

MAX_POOLS = 256
"""Pools of connections, one for each host and way to it; the one unused for longest is closed."""

_WITHOUT_BODY = frozenset({"GET", "HEAD", "DELETE"})


class _NoRequestLines(logging.Filter):
    """urllib3 logs whole URLs, and ours carry upload state and signatures."""

    def filter(self, record: logging.LogRecord) -> bool:
        return record.levelno >= logging.WARNING and "url=" not in str(record.msg)


logging.getLogger("urllib3.connectionpool").addFilter(_NoRequestLines())
logging.getLogger("urllib3.connection").addFilter(_NoRequestLines())


class _DialledMixin(HTTPConnection):
    """Takes its sockets from a Dialer, gives sending the stall time-out instead of the connect time-out, and leaves
    the heads of messages to `messages`."""

    dialer: Dialer
    is_used: bool = False
    _request_method: str = ""

    def _new_conn(self) -> socket.socket:
        assert isinstance(self.timeout, (int, float))
        return self.dialer.dial(self.timeout)

    def request(  # type: ignore[override]
        self, method: str, url: str, body: Any = None, headers: Mapping[str, str] | None = None, **_: Any
    ) -> None:
        """A body in pieces needs its Content-Length among the headers. In place of urllib3's own, which rewrites the
        URL that it is given (%2f to %2F), and so breaks signatures, and sends a body apart from its head."""
        headers = headers or {}
        if self.is_closed:
            self.connect()
        else:
            self.dialer.watchdog.attach(self.sock)
        if not self.is_used:
            # urllib3 has opened it already where it speaks TLS.
            self.dialer.opened(self)
        self.is_used = True
        self.sock.settimeout(self.dialer.stall_timeout)
        self._request_method = method
        if body is None or isinstance(body, bytes):
            if body is not None or method not in _WITHOUT_BODY:
                headers = {"Content-Length": str(len(body or b"")), **headers}
            self.sock.sendall(request_head(method, self.dialer.target, self._authority, headers) + (body or b""))
            return
        if "Content-Length" not in headers:
            raise ValueError("a body in pieces without its length")
        self.sock.sendall(request_head(method, self.dialer.target, self._authority, headers))
        for chunk in body:
            self.sock.sendall(chunk)

    @property
    def _authority(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == self.default_port else f"{host}:{self.port}"

    def getresponse(self) -> HTTPResponse:  # type: ignore[override]
        self.sock.settimeout(self.timeout)
        answered = Response(self.sock, self._request_method)
        try:
            answered.begin()
        except BaseException:
            answered.close()
            raise
        if answered.will_close:
            self.close()
        return HTTPResponse(
            answered,
            answered.headers,
            answered.status,
            preload_content=False,
            decode_content=False,
            original_response=answered,
            request_method=self._request_method,
        )


class _DialledHTTPConnection(_DialledMixin):
    def __init__(self, *args: Any, dialer: Dialer, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.dialer = dialer


class _DialledHTTPSConnection(_DialledMixin, HTTPSConnection):
    def __init__(self, *args: Any, dialer: Dialer, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.dialer = dialer


class _IdleConnections(LifoQueue[Any]):
    """Connections that wait for a request: the one used last goes first, those not yet used go last. urllib3 fills
    its queue with placeholders for connections that it has not opened; a preconnected one would find no room."""

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:
        if item is not None:
            super().put(item, block, timeout)

    def _put(self, item: Any) -> None:
        self.queue.insert(len(self.queue) if item.is_used else 0, item)


class _PreconnectingMixin(HTTPConnectionPool):
    QueueCls = _IdleConnections

    def open_one(self, timeout: float) -> None:
        """Opens one more connection (`timeout` in seconds) and keeps it with those that wait for a request."""
        connection = self._new_conn()
        try:
            connection.timeout = timeout
            connection.connect()
            assert isinstance(connection, _DialledMixin)
            connection.dialer.opened(connection)
        finally:
            self._put_conn(connection)


class _HTTPPool(_PreconnectingMixin):
    ConnectionCls = _DialledHTTPConnection


class _HTTPSPool(_PreconnectingMixin, HTTPSConnectionPool):
    ConnectionCls = _DialledHTTPSConnection


@dataclass(frozen=True, slots=True)
class Pool:
    connections: _PreconnectingMixin
    dialer: Dialer

    def send(
        self,
        method: str,
        target: str,
        body: bytes | Iterable[bytes] | None,
        headers: Mapping[str, str],
        timeout: Timeout,
    ) -> BaseHTTPResponse:
        """One request without retries or redirects, for exactly this target. Raises what urllib3 raises."""
        with self.dialer.requesting(target):
            return self.connections.urlopen(
                method,
                "/",
                body=body,
                headers=headers,
                retries=False,
                redirect=False,
                assert_same_host=False,
                timeout=timeout,
                preload_content=False,
                decode_content=False,
            )

    def preconnect(self, wanted: int, timeout: float) -> None:
        """Opens one connection that the next request may use, unless `wanted` are open or being opened. Raises what
        urllib3 raises."""
        with self.dialer.reserving(wanted) as is_needed:
            if is_needed:
                self.connections.open_one(timeout)


class Pools:
    """Keeps the least recently used routes' pools open, up to a bound: pods choose the hosts."""

    def __init__(self, *, maxsize: int, stall_timeout: float, trusted_ca: str | None) -> None:
        self._maxsize = maxsize
        self._stall_timeout = stall_timeout
        self._trusted_ca = trusted_ca
        self._pools: OrderedDict[tuple[Route, object], Pool] = OrderedDict()
        self._contexts: dict[object, ssl.SSLContext] = {}
        self._lock = threading.Lock()
        self.watchdog = Watchdog()

    def get(self, route: Route) -> Pool:
        """Raises RegistryError `tls` when a file of certificate authorities cannot be read."""
        trust = self._trust(route) if route.scheme == "https" else None
        with self._lock:
            pool = self._pools.get((route, trust))
            if pool is None:
                pool = self._pools[route, trust] = self._open(route, trust)
            self._pools.move_to_end((route, trust))
            evicted = self._pools.popitem(last=False)[1] if len(self._pools) > MAX_POOLS else None
        if evicted is not None:
            evicted.connections.close()
        return pool

    def close(self) -> None:
        with self._lock:
            pools = list(self._pools.values())
            self._pools.clear()
        for pool in pools:
            pool.dialer.abort()
            pool.connections.close()

    def _open(self, route: Route, trust: object) -> Pool:
        dialer = Dialer(route, self.watchdog, self._stall_timeout)
        options: dict[str, Any] = {"maxsize": self._maxsize, "block": False, "retries": False, "dialer": dialer}
        if route.scheme == "http":
            return Pool(_HTTPPool(route.host, route.port, **options), dialer)
        return Pool(_HTTPSPool(route.host, route.port, ssl_context=self._context(route, trust), **options), dialer)

    def _trust(self, route: Route) -> tuple[tuple[str, int], ...]:
        """The authorities' files with their times of change, so that a renewed file is read again."""
        files = [path for path in (self._trusted_ca, route.ca_file) if path]
        try:
            return tuple((path, os.stat(path).st_mtime_ns) for path in files)
        except OSError as error:
            raise _unreadable(route, error.strerror) from None

    def _context(self, route: Route, trust: object) -> ssl.SSLContext:
        if trust not in self._contexts:
            context = ssl.create_default_context()
            context.minimum_version = ssl.TLSVersion.TLSv1_2
            # Set by Python 3.13 and refused by many private authorities, whose certificates lack key identifiers.
            context.verify_flags &= ~ssl.VERIFY_X509_STRICT
            try:
                for path in filter(None, (self._trusted_ca, route.ca_file)):
                    context.load_verify_locations(cafile=path)
            except (OSError, ssl.SSLError):
                raise _unreadable(route, "no PEM certificates in it") from None
            self._contexts[trust] = context
        return self._contexts[trust]


def _unreadable(route: Route, reason: str | None) -> RegistryError:
    return RegistryError(
        "tls", f"the file of certificate authorities for {route.host} cannot be used: {reason}", host=route.host
    )
