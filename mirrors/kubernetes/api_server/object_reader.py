"""A reader of one kind of objects: lists all in pages, then watches changes. Maps errors to a few exceptions."""

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
"""Objects per page, the default of client-go: some megabytes of pods."""

PAGE_SECONDS: Final = 30.0
"""Timeout of a page, in seconds. A busy API server can take seconds to respond."""

WATCH_SECONDS: Final = 290
"""Seconds after which the API server closes a watch: shorter than the idle timeout of load balancers."""

SILENCE_SECONDS: Final = 150.0
"""Read timeout of a watch, in seconds. Bookmarks arrive once a minute, so a silent connection is dead."""


class OutdatedError(Exception):
    """The API server no longer has the changes since a resource version (410): the objects must be listed again."""


class ForbiddenError(ClusterError):
    """This process is not allowed to read these objects; the message contains the next step."""


class WatchEvent(NamedTuple):
    """A change of one object: ``ADDED``, ``MODIFIED`` or ``DELETED``. A ``BOOKMARK`` has no object and shows that the
    connection works; one is the first event of each watch."""

    event: str
    object: Any


CONNECTED: Final = WatchEvent("BOOKMARK", None)


def server_version() -> str:
    """Return the version of the API server, such as ``v1.35.2``; empty if it cannot be read."""
    try:
        client = streaming_client(httpx.Timeout(PAGE_SECONDS))
        request = BasicRequest("GET", "/version", response_type=dict)  # type: ignore[arg-type]
        version = client.handle_response("get", client.send(client.build_adapter_request(request)), request)
    except (ClusterError, ApiError, httpx.HTTPError, ValueError):
        return ""
    return str(version.get("gitVersion", ""))


class ObjectReader:
    """A reader of one kind in one namespace, or in all if ``namespace`` is empty. ``version`` is the resource version
    up to which changes were read. ``on_request`` is called with ``list`` or ``watch`` and the resource's plural name
    when a list (whatever its number of pages) or a watch starts."""

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
        """Yield all objects, page by page. Raises OutdatedError, ClusterError."""
        self._on_request("list", self.plural)
        request = self._request({"limit": PAGE}, watch=False)
        client, has_more, version = self._client(), True, ""
        while has_more:
            has_more, page_version, objects = self._map_errors(lambda: self._page(client, request))
            version = page_version or version
            yield from objects
        self.version = version

    def changes(self) -> Iterator[WatchEvent]:
        """Yield the changes after ``version``, until the API server closes the watch.

        Raises OutdatedError, ClusterError.
        """
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
        continue_token, version, objects = _decode_leniently(
            lambda data: decoders.decode_list(data, self.kind), response.content
        )
        if continue_token:
            request.params["continue"] = continue_token
        return bool(continue_token), version, objects

    def _check(self, response: httpx.Response) -> None:
        """Raise the error of a response. Only the status is checked: the body of an error may come from a proxy."""
        if response.status_code >= 300:
            raise self._refusal(response.status_code)

    def _lines(self, client: GenericSyncClient, request: BasicRequest) -> Iterator[WatchEvent]:
        request.timeout = httpx.Timeout(PAGE_SECONDS, read=SILENCE_SECONDS)
        response = self._map_errors(lambda: client.send(client.build_adapter_request(request), stream=True))
        try:
            self._check(response)
            yield CONNECTED
            lines = _split(response.iter_bytes())
            while (line := self._map_errors(lambda: next(lines, None))) is not None:
                yield self._map_errors(partial(self._parse_event, line))
        finally:
            response.close()

    def _parse_event(self, line: bytes) -> WatchEvent:
        event = decoders.decode_watch_event(line)
        if event.type == "ERROR":
            raise self._refusal(decoders.decode_status(bytes(event.object)).code or 0)
        decoded = _decode_leniently(lambda data: decoders.decode_object(data, self.kind), bytes(event.object))
        self.version = decoded.metadata.resourceVersion
        return CONNECTED if event.type == "BOOKMARK" else WatchEvent(event.type, decoded)

    def _request(self, parameters: dict[str, Any], *, watch: bool) -> BasicRequest:
        namespace = self.namespace or (ALL_NS if "global_list" in self.kind._api_info.verbs else None)
        return self._client().prepare_request("list", self.kind, None, None, namespace, watch, params=parameters)

    def _client(self) -> GenericSyncClient:
        """Return this reader's own client: a watch occupies a connection for minutes."""
        if self._connection is None:
            self._connection = streaming_client(httpx.Timeout(PAGE_SECONDS))
        return self._connection

    def _map_errors(self, call: Callable[[], Any]) -> Any:
        try:
            return call()
        except (httpx.HTTPError, httpx.StreamError) as error:
            raise ClusterError(
                f"{self.plural} cannot be read: the API server does not respond ({type(error).__name__})",
                is_temporary=True,
            ) from None
        except (msgspec.DecodeError, json.JSONDecodeError, UnicodeError) as error:
            raise ClusterError(
                f"{self.plural} cannot be read: the API server sent invalid objects ({error})",
                is_temporary=True,
            ) from None

    def _refusal(self, code: int) -> Exception:
        if code == 410:
            return OutdatedError()
        if code in (401, 403):
            where = f"in namespace {self.namespace}" if self.namespace else "in all namespaces"
            return ForbiddenError(
                f"no permission to read {self.plural} {where}: allow the watcher's service account to get, list and "
                "watch them (watcher.enabled of the chart creates the role), or set watcher.namespaces to namespaces "
                "that it can read",
                says_step=True,
            )
        return ClusterError(
            f"{self.plural} cannot be read: the API server responded with status {code}", is_temporary=True
        )


def _split(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Split the stream at newlines only, because objects can contain other line separators of Unicode. A last line
    without a newline is dropped: it was cut off."""
    unfinished: list[bytes] = []
    for chunk in chunks:
        *complete, rest = chunk.split(b"\n")
        for part in complete:
            line = b"".join((*unfinished, part))
            unfinished.clear()
            if line.strip():
                yield line
        unfinished.append(rest)


def _decode_leniently(decode: Callable[[bytes], T], data: bytes) -> T:
    """Decode the data. Objects with null fields are rare: they fail, and are decoded again without these fields."""
    try:
        return decode(data)
    except msgspec.ValidationError:
        document = json.loads(data, object_pairs_hook=_without_nulls)
        if isinstance(document, dict):
            document.setdefault("items", [])  # Required by decode_list.
        return decode(json.dumps(document).encode())


def _without_nulls(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Drop null fields and null list items: in the Kubernetes API, a null field is the same as an unset one."""
    return {
        name: [item for item in value if item is not None] if isinstance(value, list) else value
        for name, value in pairs
        if value is not None
    }
