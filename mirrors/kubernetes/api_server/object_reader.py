"""One kind of objects: all of them in pages, then their changes. Errors of the API server as few classes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final, NamedTuple, TypeVar

import httpx2 as httpx
import msgspec
from lightkube.core import decoders
from lightkube.core.exceptions import ApiError
from lightkube.core.generic_client import ALL_NS, BasicRequest, GenericSyncClient

from mirrors.kubernetes.api_server.api_client import ClusterError, streaming_client

T = TypeVar("T")

PAGE: Final = 500
"""Objects of one page, as client-go asks for: some megabytes of pods."""

PAGE_SECONDS: Final = 30.0
"""For a page, which a busy API server may take seconds for."""

WATCH_SECONDS: Final = 290
"""After which the API server is asked to end a watch: shorter than what load balancers let an idle connection live."""

SILENCE_SECONDS: Final = 150.0
"""Without a line of a watch: bookmarks arrive once a minute, so that this is a connection that leads nowhere."""


class OutdatedError(Exception):
    """The API server no longer has the changes since a version (410): the objects have to be listed again."""


class ForbiddenError(ClusterError):
    """This process may not read these objects; the message says what to do."""


class WatchEvent(NamedTuple):
    """A change of one object: ``ADDED``, ``MODIFIED`` or ``DELETED``. ``BOOKMARK``, without an object, says that the
    connection works; the first line of each watch is one."""

    event: str
    object: Any


CONNECTED: Final = WatchEvent("BOOKMARK", None)


def server_version() -> str:
    """Of the API server, such as ``v1.35.2``; empty if it does not say."""
    try:
        client = streaming_client(httpx.Timeout(PAGE_SECONDS))
        request = BasicRequest("GET", "/version", response_type=dict)  # type: ignore[arg-type]
        found = client.handle_response("get", client.send(client.build_adapter_request(request)), request)
    except (ClusterError, ApiError, httpx.HTTPError, ValueError):
        return ""
    return str(found.get("gitVersion", ""))


class ObjectReader:
    """Of one kind in one namespace, or in all. ``version`` is the resource version up to which changes are known;
    ``on_request`` hears of each list (whatever its number of pages) and watch that begins, with the resource's name."""

    def __init__(self, kind: Any, namespace: str, on_request: Callable[[str, str], None]) -> None:
        self.kind = kind
        self.namespace = namespace
        self.version = ""
        self._on_request = on_request
        self._connection: GenericSyncClient | None = None

    @property
    def plural(self) -> str:
        return str(self.kind._api_info.plural)

    def read_all(self) -> Iterator[Any]:
        """All objects, page by page. Raises OutdatedError, ClusterError."""
        self._on_request("list", self.plural)
        request = self._request({"limit": PAGE}, watch=False)
        client, has_more, version = self._client(), True, ""
        while has_more:
            has_more, found, objects = self._sent(lambda: self._page(client, request))
            version = found or version
            yield from objects
        self.version = version

    def changes(self) -> Iterator[WatchEvent]:
        """Yield the changes from ``version`` on, until the API server ends the watch. Raises OutdatedError,
        ClusterError."""
        self._on_request("watch", self.plural)
        parameters = {
            "resourceVersion": self.version,
            "timeoutSeconds": WATCH_SECONDS,
            "allowWatchBookmarks": "true",
        }
        request = self._request(parameters, watch=True)
        yield from self._lines(self._client(), request)

    def _page(self, client: GenericSyncClient, request: BasicRequest) -> tuple[bool, str | None, list[Any]]:
        response = client.send(client.build_adapter_request(request))
        self._check(response)
        following, version, objects = _decoded(lambda data: decoders.decode_list(data, self.kind), response.content)
        if following:
            request.params["continue"] = following
        return bool(following), version, objects

    def _check(self, response: httpx.Response) -> None:
        """By the status alone: the body of an error may be that of a proxy."""
        if response.status_code >= 300:
            raise self._refusal(response.status_code)

    def _lines(self, client: GenericSyncClient, request: BasicRequest) -> Iterator[WatchEvent]:
        request.timeout = httpx.Timeout(PAGE_SECONDS, read=SILENCE_SECONDS)
        response = self._sent(lambda: client.send(client.build_adapter_request(request), stream=True))
        try:
            self._check(response)
            yield CONNECTED
            lines = _split(response.iter_bytes())
            while (line := self._sent(lambda: next(lines, None))) is not None:
                yield self._sent(partial(self._change, line))
        finally:
            response.close()

    def _change(self, line: bytes) -> WatchEvent:
        event = decoders.decode_watch_event(line)
        if event.type == "ERROR":
            raise self._refusal(decoders.decode_status(bytes(event.object)).code or 0)
        found = _decoded(lambda data: decoders.decode_object(data, self.kind), bytes(event.object))
        self.version = found.metadata.resourceVersion
        return CONNECTED if event.type == "BOOKMARK" else WatchEvent(event.type, found)

    def _request(self, parameters: dict[str, Any], *, watch: bool) -> BasicRequest:
        namespace = self.namespace or (ALL_NS if "global_list" in self.kind._api_info.verbs else None)
        return self._client().prepare_request("list", self.kind, None, None, namespace, watch, params=parameters)

    def _client(self) -> GenericSyncClient:
        """One connection for each reader: a watch holds it for minutes."""
        if self._connection is None:
            self._connection = streaming_client(httpx.Timeout(PAGE_SECONDS))
        return self._connection

    def _sent(self, call: Callable[[], Any]) -> Any:
        try:
            return call()
        except (httpx.HTTPError, httpx.StreamError) as error:
            raise ClusterError(
                f"{self.plural} cannot be read: the API server does not answer ({type(error).__name__})",
                is_passing=True,
            ) from None
        except (msgspec.DecodeError, json.JSONDecodeError, UnicodeError) as error:
            raise ClusterError(
                f"{self.plural} cannot be read: the API server sent invalid objects ({error})",
                is_passing=True,
            ) from None

    def _refusal(self, code: int) -> Exception:
        if code == 410:
            return OutdatedError()
        if code in (401, 403):
            where = f"in namespace {self.namespace}" if self.namespace else "in all namespaces"
            return ForbiddenError(
                f"{self.plural} may not be read {where}: let the watcher's service account get, list and watch them "
                "(watcher.enabled of the chart creates the role), or set watcher.namespaces to those it may read",
                says_step=True,
            )
        return ClusterError(f"{self.plural} cannot be read: the API server answered {code}", is_passing=True)


def _split(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Lines end with a newline alone: other characters that end lines in text are in the objects. A last line without
    its end was cut off."""
    begun: list[bytes] = []
    for chunk in chunks:
        *ended, rest = chunk.split(b"\n")
        for part in ended:
            line = b"".join((*begun, part))
            begun.clear()
            if line.strip():
                yield line
        begun.append(rest)


def _decoded(decode: Callable[[bytes], T], data: bytes) -> T:
    """Objects with fields that are null are rare, and decoded twice."""
    try:
        return decode(data)
    except msgspec.ValidationError:
        found = json.loads(data, object_pairs_hook=_without_nulls)
        if isinstance(found, dict):
            found.setdefault("items", [])  # which a list needs
        return decode(json.dumps(found).encode())


def _without_nulls(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A field that is null is one that is not set."""
    return {
        name: [one for one in value if one is not None] if isinstance(value, list) else value
        for name, value in pairs
        if value is not None
    }
