"""Connections to exactly the address that was checked, and the pools that keep them open."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Iterable, Mapping
from contextlib import suppress
from http.client import HTTPException

from urllib3.connection import HTTPConnection, HTTPSConnection

from mirrors.oci.http.authorities import Authorities, Trust
from mirrors.oci.http.dialer import Dialer, Route
from mirrors.oci.http.http_messages import Response, request_head
from mirrors.oci.http.watchdog import Watchdog

MAX_POOLS = 256
"""The maximum number of connection pools, one for each route and its certificate authorities. Beyond it, the least
recently used pool is closed."""

MAX_IDLE_SECONDS = 60.0
"""Seconds for which an idle connection can be used again: less than the idle timeouts of gateways and load balancers.
The shortest of these are a minute or more, and expire without a message to either side."""

EARLY_RESPONSE_SECONDS = 1.0
"""Seconds to wait for a response after the body could not be sent. It has either arrived already, or never will."""

_WITHOUT_BODY = frozenset({"GET", "HEAD", "DELETE"})


class _Connection(HTTPConnection):
    """A connection that gets its socket from a Dialer, and sends with the stall timeout instead of the connect timeout.
    `http_messages` writes and parses the heads of messages; urllib3 handles TLS."""

    dialer: Dialer
    is_used: bool = False
    idle_since: float = 0.0

    def _new_conn(self) -> socket.socket:
        assert isinstance(self.timeout, (int, float))
        return self.dialer.dial(self.timeout)

    def open(self, timeout: float) -> None:
        """Connect; `timeout` is in seconds."""
        self.timeout = timeout
        self.connect()
        self.dialer.track(self)

    def transmit(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes | Iterable[bytes] | None
    ) -> None:
        """Send a request. A body in pieces requires a Content-Length in the headers. The target is sent byte for byte:
        urllib3's own request method rewrites it (%2f to %2F), which breaks signatures."""
        self.sock.settimeout(self.dialer.stall_timeout)
        if body is None or isinstance(body, bytes):
            if body is not None or method not in _WITHOUT_BODY:
                headers = {"Content-Length": str(len(body or b"")), **headers}
            # Head and body in one call: sent separately, they would take one more packet.
            self.sock.sendall(request_head(method, target, self._authority, headers) + (body or b""))
            return
        if "Content-Length" not in headers:
            raise ValueError("a streamed body without its length")
        self.sock.sendall(request_head(method, target, self._authority, headers))
        for chunk in body:
            self.sock.sendall(chunk)

    def receive(self, method: str, timeout: float) -> Response:
        """Return the response to this method once its head is read. `timeout` is in seconds, for each read."""
        self.sock.settimeout(timeout)
        response = Response(self.sock, method)
        try:
            response.begin()
        except BaseException:
            response.close()
            raise
        return response

    @property
    def _authority(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == self.default_port else f"{host}:{self.port}"


class _TLSConnection(_Connection, HTTPSConnection):
    pass


class Pool:
    """The connections of one route. At most `maxsize` of them stay open for later requests."""

    def __init__(self, dialer: Dialer, context: ssl.SSLContext | None, maxsize: int) -> None:
        """`context` is the TLS context of the route, None for plain HTTP."""
        self.dialer = dialer
        self._context = context
        self._idle: deque[_Connection] = deque(maxlen=maxsize)
        self._lock = threading.Lock()
        self._is_closed = False

    def send(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str],
        body: bytes | Iterable[bytes] | None,
        *,
        connect_timeout: float,
        read_timeout: float,
    ) -> Response:
        """Send one request; times are in seconds. Finish the response to free its connection. Raises OSError,
        HTTPException, ValueError, urllib3's HTTPError and RegistryError."""
        connection = self._acquire()
        was_idle = not connection.is_closed
        try:
            if not was_idle:
                connection.open(connect_timeout)
            else:
                self.dialer.watchdog.attach(connection.sock)
            connection.is_used = True
            is_sent = False
            # A server may respond before it has read the body, and then close or stop reading. Read its response.
            with suppress(BrokenPipeError, ConnectionResetError, TimeoutError):
                connection.transmit(method, target, headers, body)
                is_sent = True
            response = connection.receive(
                method, read_timeout if is_sent else min(read_timeout, EARLY_RESPONSE_SECONDS)
            )
            response.will_close = response.will_close or not is_sent
        except BaseException as error:
            connection.close()
            if was_idle and isinstance(error, (OSError, HTTPException)):
                # A gateway on the way may have dropped the other idle connections too.
                self._close_idle()
            raise
        response.release = lambda is_reusable: self._release(connection, is_reusable=is_reusable)
        return response

    def preconnect(self, min_open: int, timeout: float) -> None:
        """Open one connection for a later request, unless `min_open` connections are open or being opened. `timeout` is
        in seconds. Raises the same errors as `send`."""
        with self.dialer.reserve(min_open) as is_needed:
            if is_needed:
                connection = self._new_connection()
                try:
                    connection.open(timeout)
                except BaseException:
                    connection.close()
                    raise
                self._release(connection, is_reusable=True)

    def close(self) -> None:
        with self._lock:
            self._is_closed = True
        self._close_idle()

    def _close_idle(self) -> None:
        with self._lock:
            idle = list(self._idle)
            self._idle.clear()
        for connection in idle:
            connection.close()

    def _acquire(self) -> _Connection:
        """Return the most recently used idle connection; one that was never used only if there is no other, and a new
        one if none is idle. Connections that the server has closed, or that were idle for too long, are skipped."""
        while True:
            with self._lock:
                connection = self._idle.pop() if self._idle else None
            if connection is None:
                return self._new_connection()
            if connection.is_connected and time.monotonic() - connection.idle_since < MAX_IDLE_SECONDS:
                return connection
            connection.close()

    def _release(self, connection: _Connection, *, is_reusable: bool) -> None:
        connection.idle_since = time.monotonic()
        with self._lock:
            if is_reusable and not self._is_closed and len(self._idle) < (self._idle.maxlen or 0):
                if connection.is_used:
                    self._idle.append(connection)
                else:
                    self._idle.appendleft(connection)
                return
        connection.close()

    def _new_connection(self) -> _Connection:
        host, port = self.dialer.route.host, self.dialer.route.port
        if self._context is None:
            connection = _Connection(host, port)
        else:
            connection = _TLSConnection(host, port, ssl_context=self._context)
        connection.dialer = self.dialer
        return connection


class Pools:
    """The pools of the most recently used routes. Their number is bounded, because pods choose the hosts."""

    def __init__(self, *, maxsize: int, stall_timeout: float, trusted_ca: str | None) -> None:
        self._maxsize = maxsize
        self._stall_timeout = stall_timeout
        self._authorities = Authorities(trusted_ca)
        self._pools: OrderedDict[tuple[Route, Trust | None], Pool] = OrderedDict()
        self._lock = threading.Lock()
        self.watchdog = Watchdog()

    def get(self, route: Route) -> Pool:
        """Return the pool of this route. Raises RegistryError `tls` if a file of certificate authorities is
        unusable."""
        trust = self._authorities.trust_of(route) if route.scheme == "https" else None
        with self._lock:
            pool = self._pools.get((route, trust))
            if pool is None:
                pool = self._pools[route, trust] = self._create_pool(route, trust)
            self._pools.move_to_end((route, trust))
            evicted = self._pools.popitem(last=False)[1] if len(self._pools) > MAX_POOLS else None
        if evicted is not None:
            evicted.close()
        return pool

    def close(self) -> None:
        with self._lock:
            pools = list(self._pools.values())
            self._pools.clear()
        for pool in pools:
            pool.dialer.abort()
            pool.close()

    def _create_pool(self, route: Route, trust: Trust | None) -> Pool:
        dialer = Dialer(route, self.watchdog, self._stall_timeout)
        return Pool(dialer, None if trust is None else self._authorities.context(route, trust), self._maxsize)
