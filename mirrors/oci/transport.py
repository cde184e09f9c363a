"""HTTP exchanges with registries: redirects by hand, every hop's address checked, errors without URLs in them."""

from __future__ import annotations

import re
import ssl
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

import urllib3
from urllib3 import HTTPHeaderDict
from urllib3.exceptions import HTTPError, SSLError
from urllib3.exceptions import TimeoutError as PoolTimeoutError
from urllib3.response import BaseHTTPResponse

from mirrors.oci.access import RegistryAccess
from mirrors.oci.calls import Call
from mirrors.oci.connections import Pool, Pools, Route
from mirrors.oci.errors import CopyCancelledError, RegistryError
from mirrors.oci.settings import MIB, EngineSettings
from mirrors.oci.urls import Url, split_host

USER_AGENT: Final = "k8s-image-swapper"
REMAINING: Final = "RateLimit-Remaining"
"""Docker Hub's header: pulls left, and the window that they are counted in."""

MAX_REDIRECTS = 5
SMALL_REPLY_BYTES = MIB
_REDIRECTS = frozenset({301, 302, 303, 307, 308})

OnRequest = Callable[[str, str, int], None]
OnRemaining = Callable[[str, int], None]

_REMAINING = re.compile(r"(\d{1,9})(;.*)?")


@dataclass(frozen=True, slots=True)
class Hop:
    """Where a reply came from. What it points at may only be as private as itself."""

    url: Url
    is_private: bool


class BodyStream:
    """A reply's body, raw as on the wire, read piece by piece."""

    def __init__(self, response: BaseHTTPResponse, host: str) -> None:
        self._response = response
        self._host = host

    def read(self, size: int) -> bytes:
        """What has arrived, at most `size` bytes; b"" at the end. Raises RegistryError when it breaks off or stalls."""
        try:
            return self._response.read1(size, decode_content=False) or b""
        except (HTTPError, OSError, ValueError) as error:
            raise translate(error, self._host) from None

    def close(self) -> None:
        """Ends the exchange; a body that was not read to its end takes its connection with it."""
        self._response.close()
        self._response.release_conn()


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    headers: HTTPHeaderDict = field(repr=False)
    hop: Hop
    body: bytes = field(default=b"", repr=False)
    stream: BodyStream | None = None


@dataclass(frozen=True, slots=True)
class Ask:
    """One request. `body` must be bytes for anything that may be redirected; a stream is sent once.

    `came_from` is the reply that named this URL, None for the registry's own API. `limit` bounds the reply's body in
    bytes; `stream` hands it over unread. `reply_timeout` (seconds) is for the whole exchange, or, for streamed
    bodies in either direction, for the wait after the last byte sent.
    """

    method: str
    url: Url
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    authorization: str | None = field(default=None, repr=False)
    body: bytes | Iterable[bytes] | None = field(default=None, repr=False)
    came_from: Hop | None = None
    limit: int = SMALL_REPLY_BYTES
    stream: bool = False
    reply_timeout: float | None = None


class Transport:
    """Thread-safe; one an engine. Knows no registry protocol and keeps no credentials."""

    def __init__(
        self,
        settings: EngineSettings,
        on_request: OnRequest | None = None,
        on_remaining: OnRemaining | None = None,
    ) -> None:
        self._settings = settings
        self._on_request = on_request
        self._on_remaining = on_remaining
        self._closed = False
        self._pools = Pools(
            maxsize=settings.images + 2 * settings.blobs,
            stall_timeout=settings.stall_timeout,
            trusted_ca=settings.trusted_ca,
        )

    def close(self) -> None:
        """Ends all exchanges and begins no new one."""
        self._closed = True
        self._pools.close()

    def api(self, access: RegistryAccess, target: str) -> Url:
        host, port = split_host(access.api_host, 80 if access.insecure else 443)
        return Url(access.scheme, host, port, target)

    def exchange(self, ask: Ask, access: RegistryAccess, call: Call) -> Reply:
        """Sends the request and follows redirects. Raises RegistryError for anything but an HTTP answer,
        CopyCancelledError once closed."""
        home = self.api(access, "/")
        authorized_origin = ask.url.origin
        url, came_from = ask.url, ask.came_from
        for _ in range(MAX_REDIRECTS + 1):
            call.check(access.host)
            if self._closed:
                raise CopyCancelledError
            pool = self._pools.get(self._route(url, access, home, came_from))
            authorization = ask.authorization if url.origin == authorized_origin else None
            reply = self._once(ask, url, authorization, pool, call)
            if self._on_remaining is not None and (told := _REMAINING.fullmatch(reply.headers.get(REMAINING, ""))):
                self._on_remaining(access.host, int(told[1]))
            location = reply.headers.get("Location") if reply.status in _REDIRECTS else None
            if location is None or not _may_follow(ask, reply.status):
                return reply
            if reply.stream is not None:
                reply.stream.close()
            came_from = reply.hop
            url = url.follow(location, seen_by=access.host)
        raise RegistryError("invalid", f"{access.host} redirects in circles", host=access.host)

    def _route(self, url: Url, access: RegistryAccess, home: Url, came_from: Hop | None) -> Route:
        """Decides whether this URL may be visited at all. Raises RegistryError `address-refused`."""
        is_home = url.origin == home.origin
        downgraded = came_from is not None and came_from.url.scheme == "https"
        if url.scheme == "http" and (not access.insecure or downgraded):
            raise RegistryError(
                "address-refused",
                f"{access.host} points at plain HTTP on {url.host}; only HTTPS is used",
                host=access.host,
            )
        private_allowed = access.private_allowed and (is_home or (came_from is not None and came_from.is_private))
        dial = (url.host, url.port)
        if is_home and access.connect_to:
            dial = split_host(access.connect_to, url.port)
        return Route(url.scheme, url.host, url.port, dial, private_allowed, access.ca_file)

    def _once(self, ask: Ask, url: Url, authorization: str | None, pool: Pool, call: Call) -> Reply:
        patience = ask.reply_timeout or self._settings.reply_timeout
        headers = {"User-Agent": USER_AGENT, "Accept-Encoding": "identity", **ask.headers}
        if authorization:
            headers["Authorization"] = authorization
        is_upload = ask.body is not None and not isinstance(ask.body, bytes)
        status = 0
        try:
            if is_upload:
                response = self._send(ask, url, headers, pool, call, patience)
                status = response.status
                return self._reply(ask, url, response, pool)
            with self._pools.watchdog.watching(call.remaining(patience)) as watch:
                try:
                    response = self._send(ask, url, headers, pool, call, self._settings.stall_timeout)
                    status = response.status
                    reply = self._reply(ask, url, response, pool)
                except RegistryError:
                    if not watch.expired:
                        raise
                # Headers that were cut short by the watchdog look like complete ones.
                if watch.expired:
                    raise RegistryError("timeout", f"{url.host} did not answer in time", host=url.host)
                return reply
        finally:
            if self._on_request is not None:
                self._on_request(ask.method, url.netloc, status)

    def _send(
        self, ask: Ask, url: Url, headers: Mapping[str, str], pool: Pool, call: Call, read_timeout: float
    ) -> BaseHTTPResponse:
        timeout = urllib3.Timeout(
            connect=max(0.001, call.remaining(self._settings.connect_timeout)),
            read=max(0.001, call.remaining(read_timeout)),
        )
        try:
            return pool.connections.urlopen(
                ask.method,
                url.target,
                body=ask.body,
                headers=headers,
                retries=False,
                redirect=False,
                assert_same_host=False,
                timeout=timeout,
                preload_content=False,
                decode_content=False,
            )
        except (HTTPError, OSError, ValueError) as error:
            raise translate(error, url.host) from None

    def _reply(self, ask: Ask, url: Url, response: BaseHTTPResponse, pool: Pool) -> Reply:
        hop = Hop(url, pool.dialer.peer_is_private)
        stream = BodyStream(response, url.host)
        if ask.stream and response.status in (200, 206):
            return Reply(response.status, response.headers, hop, stream=stream)
        body = _read_whole(stream, ask.limit if response.status < 300 else SMALL_REPLY_BYTES, url.host)
        return Reply(response.status, response.headers, hop, body)


def _may_follow(ask: Ask, status: int) -> bool:
    if ask.method in ("GET", "HEAD"):
        return True
    return status in (307, 308) and (ask.body is None or isinstance(ask.body, bytes))


def _read_whole(stream: BodyStream, limit: int, host: str) -> bytes:
    pieces: list[bytes] = []
    size = 0
    try:
        while piece := stream.read(64 * 1024):
            size += len(piece)
            if size > limit:
                raise RegistryError("too-large", f"{host} sent more than the {limit} bytes that are read", host=host)
            pieces.append(piece)
    finally:
        stream.close()
    return b"".join(pieces)


def translate(error: Exception, host: str) -> RegistryError:
    """An error of the network or of urllib3 as ours. Their texts name URLs, so only their kind is kept."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, ssl.SSLCertVerificationError):
            reason = seen.verify_message or "it is not trusted"
            return RegistryError("tls", f"the certificate of {host} was refused: {reason}", host=host)
        seen = seen.__cause__ or seen.__context__ or next((a for a in seen.args if isinstance(a, Exception)), None)
    if isinstance(error, (SSLError, ssl.SSLError)):
        return RegistryError(
            "tls", f"the TLS connection to {host} failed; does it speak HTTPS?", host=host, permanent=False
        )
    if isinstance(error, (PoolTimeoutError, TimeoutError)) or isinstance(error.__context__, TimeoutError):
        return RegistryError("timeout", f"{host} did not answer in time", host=host)
    if isinstance(error, ValueError):
        return RegistryError("invalid", f"{host} sent something that is not HTTP", host=host)
    return RegistryError("unavailable", f"the connection to {host} broke off", host=host)
