"""The in-memory registry with injected faults and a record of all requests."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field

from mirrors.demo.gatekeeper import Gatekeeper
from mirrors.demo.handler import Handler
from mirrors.demo.registry import MemoryRegistry

Action = Callable[[Handler], bool]
"""A callable that responds to the request and returns True, or returns False to let the registry respond."""


@dataclass(frozen=True, slots=True)
class RecordedRequest:
    method: str
    path: str
    headers: dict[str, str]

    def __str__(self) -> str:
        return f"{self.method} {self.path.partition('?')[0]}"


@dataclass(slots=True)
class _Fault:
    request: re.Pattern[str]
    action: Action
    left: float


@dataclass(slots=True)
class _InFlight:
    now: int = 0
    most: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)


class FaultyRegistry(MemoryRegistry):
    """A registry with faults, set with for example `registry.on("GET .*/blobs/", cut(1000), times=3)`."""

    def __init__(self, *, gatekeeper: Gatekeeper | None = None) -> None:
        super().__init__(gatekeeper=gatekeeper)
        self.requests: list[RecordedRequest] = []
        self.closing = threading.Event()
        self.in_flight = _InFlight()
        self._faults: list[_Fault] = []

    def on(self, request: str, action: Action, *, times: float = 1) -> None:
        """Add a fault. `request` is a regular expression for `METHOD path?query`. Faults are tried in the order in
        which they were added."""
        self._faults.append(_Fault(re.compile(request), action, times))

    def heal(self) -> None:
        """Remove all faults."""
        self._faults.clear()

    def intercept(self, handler: Handler) -> bool:
        self.requests.append(RecordedRequest(handler.command, handler.path, dict(handler.headers.items())))
        for fault in self._faults:
            if fault.left > 0 and fault.request.match(f"{handler.command} {handler.path}"):
                fault.left -= 1
                if fault.action(handler):
                    return True
        return False

    def count(self, request: str) -> int:
        return len(self.found(request))

    def found(self, request: str) -> list[RecordedRequest]:
        pattern = re.compile(request)
        return [requested for requested in self.requests if pattern.match(f"{requested.method} {requested.path}")]

    def close(self) -> None:
        self.closing.set()
        super().close()


def reply(status: int, body: bytes = b"", **headers: str) -> Action:
    """Send a plain response. Close the connection if the request had a body, because the body was not read."""

    def act(handler: Handler) -> bool:
        if handler.headers.get("Content-Length", "0") != "0":
            handler.close_connection = True
            headers.setdefault("Connection", "close")
        handler.respond(status, body, **headers)
        return True

    return act


def hang_up(handler: Handler) -> bool:
    handler.close_connection = True
    return True


def hang(handler: Handler) -> bool:
    """Send nothing until the registry is closed, or for 20 seconds."""
    registry = handler.registry
    assert isinstance(registry, FaultyRegistry)
    registry.closing.wait(20)
    return hang_up(handler)


def drip(handler: Handler) -> bool:
    """Send a response whose headers never end, one byte every 20 milliseconds."""
    registry = handler.registry
    assert isinstance(registry, FaultyRegistry)
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    with suppress(OSError):
        while not registry.closing.wait(0.02):
            handler.wfile.write(b"x")
    return hang_up(handler)


def cut(size: int) -> Action:
    """Respond to a blob's GET correctly, but close the connection after `size` bytes."""

    def act(handler: Handler) -> bool:
        content = handler.registry.storage.blob(handler.repository, handler.rest)
        assert content is not None
        start = int(handler.headers.get("Range", "bytes=0-")[6:-1])
        _blob_head(handler, start, len(content))
        handler.wfile.write(content[start : start + size])
        return hang_up(handler) if start + size < len(content) else True

    return act


def chunked(handler: Handler) -> bool:
    """Respond to a blob's GET with HTTP chunks, without a length."""
    content = handler.registry.storage.blob(handler.repository, handler.rest)
    assert content is not None
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    for start in range(0, len(content), 1000):
        piece = content[start : start + 1000]
        handler.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
    handler.wfile.write(b"0\r\n\r\n")
    return True


def trickle(pieces: int, seconds: float) -> Action:
    """Respond to a blob's GET in this number of pieces, with a pause before each."""

    def act(handler: Handler) -> bool:
        content = handler.registry.storage.blob(handler.repository, handler.rest)
        assert content is not None
        _blob_head(handler, 0, len(content))
        step = len(content) // pieces + 1
        with suppress(OSError):
            for start in range(0, len(content), step):
                time.sleep(seconds)
                handler.wfile.write(content[start : start + step])
        return True

    return act


HELD_SECONDS = 120
"""The longest wait for an event, in seconds. It unblocks the server if a test fails before it sets the event. No test
waits that long."""


def held(event: threading.Event, *, after: int = 0) -> Action:
    """Respond to a blob's GET with `after` bytes, and with the rest, if any, when `event` is set."""

    def act(handler: Handler) -> bool:
        content = handler.registry.storage.blob(handler.repository, handler.rest)
        assert content is not None
        _blob_head(handler, 0, len(content))
        with suppress(OSError):
            handler.wfile.write(content[:after])
            if after < len(content):
                event.wait(HELD_SECONDS)
                handler.wfile.write(content[after:])
        return True

    return act


def as_usual(handler: Handler) -> bool:
    """Let the registry respond."""
    return False


def after(event: threading.Event, action: Action = as_usual) -> Action:
    """Perform the action of any request when `event` is set."""

    def act(handler: Handler) -> bool:
        assert event.wait(HELD_SECONDS), "the test has not set the event"
        return action(handler)

    return act


def counted(handler: Handler) -> bool:
    """Delay a request for a moment, so that concurrent requests can be counted."""
    registry = handler.registry
    assert isinstance(registry, FaultyRegistry)
    with registry.in_flight.lock:
        registry.in_flight.now += 1
        registry.in_flight.most = max(registry.in_flight.most, registry.in_flight.now)
    time.sleep(0.01)
    with registry.in_flight.lock:
        registry.in_flight.now -= 1
    return False


def endless(handler: Handler) -> bool:
    """Send a body without a length and without an end."""
    handler.send_response(200)
    handler.send_header("Content-Type", "application/vnd.oci.image.manifest.v1+json")
    handler.send_header("Connection", "close")
    handler.end_headers()
    with suppress(OSError):
        while True:
            handler.wfile.write(b" " * 65536)
    return hang_up(handler)


def without_digest(handler: Handler) -> bool:
    """Respond to a manifest's HEAD without Docker-Content-Digest, as some registries do."""
    found = handler.registry.storage.manifest(handler.repository, handler.rest)
    assert found is not None
    handler.respond(200, found[2], Content_Type=found[1])
    return True


def then(*actions: Action) -> Action:
    """Perform the next action for each request, and let the registry respond when none is left."""
    queue: Iterator[Action] = iter(actions)

    def act(handler: Handler) -> bool:
        action = next(queue, None)
        return action(handler) if action else False

    return act


def _blob_head(handler: Handler, start: int, size: int) -> None:
    handler.send_response(206 if start else 200)
    handler.send_header("Content-Length", str(size - start))
    if start:
        handler.send_header("Content-Range", f"bytes {start}-{size - 1}/{size}")
    handler.end_headers()
