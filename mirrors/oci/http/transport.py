"""HTTP exchanges with registries. This module follows redirects itself, checks the address of every hop, and raises
errors without URLs in them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from http.client import HTTPException
from typing import Final

from urllib3 import HTTPHeaderDict
from urllib3.exceptions import HTTPError

from mirrors.oci.common.access import RegistryAccess
from mirrors.oci.common.calls import Call
from mirrors.oci.common.engine_settings import MIB, EngineSettings
from mirrors.oci.common.errors import CopyCancelledError, RegistryError
from mirrors.oci.common.exchanges import Exchange, redacted_path
from mirrors.oci.common.request_urls import Origin, Url, split_host
from mirrors.oci.http.connections import Pool, Pools
from mirrors.oci.http.dialer import Route
from mirrors.oci.http.http_messages import Response
from mirrors.oci.http.network_errors import stall_error, translate
from mirrors.oci.http.streams import BodyStream, UploadBody, read_whole
from mirrors.oci.http.watchdog import Watch

USER_AGENT: Final = "k8s-image-swapper"

MAX_REDIRECTS: Final = 5
"""The maximum number of redirects. Registries use one or two: to a mirror, and from there to its storage."""

SMALL_REPLY_BYTES: Final = MIB
_REDIRECTS = frozenset({301, 302, 303, 307, 308})

_NETWORK_ERRORS: Final = (OSError, ValueError, HTTPException, HTTPError)

OnRequest = Callable[[str, str, int], None]


@dataclass(frozen=True, slots=True)
class Hop:
    """The server that sent a reply. Its reply may refer to another server at a private address only if its own is
    private."""

    url: Url
    is_private: bool


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply. `credentials_sent` is whether the request carried credentials, or a token that was issued for some."""

    status: int
    headers: HTTPHeaderDict = field(repr=False)
    hop: Hop
    body: bytes = field(default=b"", repr=False)
    stream: BodyStream | None = None
    credentials_sent: bool = False


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """One request. `body` must be bytes if the request might be redirected, because a stream can be sent only once.

    `authorizations` are the Authorization headers by origin; with redirects, each origin receives only its own.
    `previous_hop` is the hop whose reply contained this URL, None for the registry's own API. `limit` bounds the
    reply's body in bytes; with `stream`, the body is returned unread. `reply_timeout` (seconds) bounds the whole
    exchange or, for streamed bodies in either direction, the wait after the last byte sent. `before_send` is called
    immediately before each time that the request is sent, and may raise.
    """

    method: str
    url: Url
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    authorizations: Mapping[Origin, str] = field(default_factory=dict, repr=False)
    body: bytes | Iterable[bytes] | None = field(default=None, repr=False)
    previous_hop: Hop | None = None
    limit: int = SMALL_REPLY_BYTES
    stream: bool = False
    reply_timeout: float | None = None
    before_send: Callable[[], None] | None = None


class Transport:
    """Sends requests. Thread-safe; each engine has one. Knows no registry protocol and stores no credentials."""

    def __init__(
        self,
        settings: EngineSettings,
        on_request: OnRequest | None = None,
    ) -> None:
        self._settings = settings
        self._on_request = on_request
        self._closed = False
        self._pools = Pools(
            maxsize=settings.images + 2 * settings.blobs,
            stall_timeout=settings.stall_timeout,
            trusted_ca=settings.trusted_ca,
        )

    def close(self) -> None:
        """End all exchanges, and start no new ones."""
        self._closed = True
        self._pools.close()

    def api(self, access: RegistryAccess, target: str) -> Url:
        host, port = split_host(access.api_host, 80 if access.insecure else 443)
        return Url(access.scheme, host, port, target)

    def preconnect(self, access: RegistryAccess, min_open: int, call: Call) -> None:
        """Open one connection to the registry's API if fewer than `min_open` are open. Raises RegistryError, and
        CopyCancelledError once closed."""
        call.check(access.host)
        if self._closed:
            raise CopyCancelledError
        home = self.api(access, "/")
        pool = self._pools.get(self._route(home, access, home, None))
        seconds = max(0.001, call.remaining(self._settings.connect_timeout))
        watch = self._pools.watchdog.watch(seconds)
        try:
            with watch.on_this_thread():
                pool.preconnect(min_open, seconds)
        except _NETWORK_ERRORS as error:
            raise translate(error, home.netloc) from None
        finally:
            watch.end()

    def exchange(self, request: HttpRequest, access: RegistryAccess, call: Call) -> Reply:
        """Send the request and follow redirects. Raises RegistryError for anything but an HTTP response, with the
        registry as its host whichever server failed, and CopyCancelledError once closed."""
        try:
            return self._follow(request, access, call)
        except RegistryError as error:
            error.host = access.host
            raise

    def _follow(self, request: HttpRequest, access: RegistryAccess, call: Call) -> Reply:
        home = self.api(access, "/")
        url, previous_hop = request.url, request.previous_hop
        for _ in range(MAX_REDIRECTS + 1):
            call.check(access.host)
            if self._closed:
                raise CopyCancelledError
            pool = self._pools.get(self._route(url, access, home, previous_hop))
            if request.before_send is not None:
                request.before_send()
            reply = self._exchange_once(request, url, request.authorizations.get(url.origin), pool, call)
            location = reply.headers.get("Location") if reply.status in _REDIRECTS else None
            if location is None or not _may_follow(request, reply.status):
                return reply
            if reply.stream is not None:
                reply.stream.close()
            previous_hop = reply.hop
            url = url.follow(location, sent_by=access.host)
        raise RegistryError("invalid", f"{access.host} redirected more than {MAX_REDIRECTS} times", host=access.host)

    def _route(self, url: Url, access: RegistryAccess, home: Url, previous_hop: Hop | None) -> Route:
        """Return the route to this URL. Raises RegistryError `address-refused` if the URL must not be requested."""
        is_home = url.origin == home.origin
        downgraded = previous_hop is not None and previous_hop.url.scheme == "https"
        if url.scheme == "http" and (not access.insecure or downgraded):
            raise RegistryError(
                "address-refused",
                f"{access.host} redirects to plain HTTP on {url.host}; only HTTPS is allowed",
                host=access.host,
            )
        private_allowed = access.private_allowed and (is_home or (previous_hop is not None and previous_hop.is_private))
        dial = (url.host, url.port)
        if is_home and access.connect_to:
            dial = split_host(access.connect_to, url.port)
        return Route(url.scheme, url.host, url.port, dial, private_allowed, access.ca_file)

    def _exchange_once(
        self, request: HttpRequest, url: Url, authorization: str | None, pool: Pool, call: Call
    ) -> Reply:
        reply_timeout = request.reply_timeout or self._settings.reply_timeout
        headers = {"User-Agent": USER_AGENT, "Accept-Encoding": "identity", **request.headers}
        if authorization:
            headers["Authorization"] = authorization
        status, started = 0, time.monotonic()
        watch = self._pools.watchdog.watch(call.remaining(reply_timeout))
        reply = upload = None
        try:
            with watch.on_this_thread():
                body = request.body
                if body is not None and not isinstance(body, bytes):
                    body = upload = UploadBody(body, watch, self._settings.slow_seconds, reply_timeout)
                response = self._send(request.method, url, body, headers, pool, call)
                status = response.status
                reply = self._read_reply(request, url, response, pool, watch)
            return reply
        except RegistryError:
            if watch.expired:
                raise (upload.too_slow(url.netloc) if upload else stall_error(url.netloc)) from None
            raise
        finally:
            if reply is None or reply.stream is None:
                watch.end()
            if self._on_request is not None:
                self._on_request(request.method, url.netloc, status)
            if call.exchanges is not None:
                # A URL that a registry sent may contain a secret in any part.
                path = redacted_path(url.target) if url is request.url and request.previous_hop is None else "/…"
                elapsed = time.monotonic() - started
                call.exchanges.add(Exchange(request.method, url.netloc, path, status, elapsed))

    def _send(
        self,
        method: str,
        url: Url,
        body: bytes | Iterable[bytes] | None,
        headers: Mapping[str, str],
        pool: Pool,
        call: Call,
    ) -> Response:
        try:
            return pool.send(
                method,
                url.target,
                headers,
                body,
                connect_timeout=max(0.001, call.remaining(self._settings.connect_timeout)),
                read_timeout=max(0.001, call.remaining(self._settings.stall_timeout)),
            )
        except _NETWORK_ERRORS as error:
            raise translate(error, url.netloc) from None

    def _read_reply(self, request: HttpRequest, url: Url, response: Response, pool: Pool, watch: Watch) -> Reply:
        hop = Hop(url, pool.dialer.peer_is_private)
        if request.stream and response.status in (200, 206) and not watch.expired:
            watch.clear_deadline()
            stream = BodyStream(response, url.netloc, watch, self._settings.stall_timeout)
            return Reply(response.status, response.headers, hop, stream=stream)
        limit = request.limit if response.status < 300 else None
        body = read_whole(BodyStream(response, url.netloc), limit, url.netloc)
        # A body that the watchdog cut off looks like a complete one.
        if watch.expired:
            raise stall_error(url.netloc)
        return Reply(response.status, response.headers, hop, body)


def _may_follow(request: HttpRequest, status: int) -> bool:
    if request.method in ("GET", "HEAD"):
        return True
    return status in (307, 308) and (request.body is None or isinstance(request.body, bytes))
