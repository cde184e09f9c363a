"""Connections whose client has still something to send, or to close, and how long the server waits for that."""

from __future__ import annotations

import time
from typing import Final

from swapper_project.serving.connection import PIECE, Connection, Phase

REQUEST_SECONDS: Final = 10.0
"""Seconds from a connection's beginning, or its next request's first byte, until the request must be whole."""

MOST_BUFFERED: Final = 64 * 1024 * 1024
"""Bytes of requests that are not whole yet, of all connections together."""

LINGER: Final = 2.0
"""Seconds that a client gets to close its side after the last answer."""


class AwaitedConnections:
    """For the poller's thread alone."""

    def __init__(self) -> None:
        # Those whose handshake or request is not whole, the oldest first.
        self._pending: dict[Connection, None] = {}
        self._leaving: dict[Connection, None] = {}

    def expect_request(self, conn: Connection, phase: Phase | None = None) -> None:
        """A request is to be whole in time from now."""
        conn.phase = phase or conn.phase
        conn.timeout = time.monotonic() + REQUEST_SECONDS
        self._pending[conn] = None

    def expect_end(self, conn: Connection) -> None:
        """The client is to close its side."""
        conn.phase = Phase.LEAVING
        conn.timeout = time.monotonic() + LINGER
        self._leaving[conn] = None

    def remove(self, conn: Connection) -> None:
        self._pending.pop(conn, None)
        self._leaving.pop(conn, None)

    def late(self) -> list[Connection]:
        """Those that have taken too long; a handshake whose step is under way ends after it."""
        now = time.monotonic()
        late = [conn for held in (self._pending, self._leaving) for conn in held if conn.timeout <= now]
        return [conn for conn in late if conn.phase is not Phase.SHAKING_HANDS]

    def oldest(self) -> Connection | None:
        """The one whose request has been awaited for the longest time."""
        return next((conn for conn in self._pending if conn.phase is not Phase.SHAKING_HANDS), None)

    def to_drop_for(self, conn: Connection) -> Connection | None:
        """The connection to drop because requests that are not whole use too much memory, now that this one has grown;
        None: they do not."""
        if len(conn.buffer) <= PIECE or sum(len(c.buffer) for c in self._pending) <= MOST_BUFFERED:
            return None
        # Those that are nearly all sent have not been waited for long.
        return next(c for c in self._pending if len(c.buffer) > PIECE and c.phase is Phase.COLLECTING)
