"""Connections whose client still has to send or to close something, and how long the server waits for that."""

from __future__ import annotations

import time
from typing import Final

from swapper_project.serving.connection import READ_SIZE, Connection, Phase

REQUEST_SECONDS: Final = 10.0
"""Seconds within which a request must be complete, from the start of the connection, or its own first byte if later."""

MOST_BUFFERED_BYTES: Final = 64 * 1024 * 1024
"""The maximum number of bytes of incomplete requests, of all connections together."""

LINGER_SECONDS: Final = 2.0
"""Seconds that a client has to close its side after the last response."""


class AwaitedConnections:
    """The connections that wait for their client. Only the poller's thread uses this class."""

    def __init__(self) -> None:
        # Connections with an incomplete handshake or request, the oldest first.
        self._pending: dict[Connection, None] = {}
        self._closing: dict[Connection, None] = {}

    def expect_request(self, conn: Connection, phase: Phase | None = None) -> None:
        """Start the deadline for a complete request."""
        conn.phase = phase or conn.phase
        conn.timeout = time.monotonic() + REQUEST_SECONDS
        self._pending[conn] = None

    def expect_close(self, conn: Connection) -> None:
        """Start the deadline for the client to close its side."""
        conn.phase = Phase.CLOSING
        conn.timeout = time.monotonic() + LINGER_SECONDS
        self._closing[conn] = None

    def remove(self, conn: Connection) -> None:
        self._pending.pop(conn, None)
        self._closing.pop(conn, None)

    def expired(self) -> list[Connection]:
        """Return the connections whose deadline has passed. A handshake with a step in progress is excluded, because it
        is checked after that step."""
        now = time.monotonic()
        expired = [
            conn for connections in (self._pending, self._closing) for conn in connections if conn.timeout <= now
        ]
        return [conn for conn in expired if conn.phase is not Phase.HANDSHAKE_STEP]

    def oldest(self) -> Connection | None:
        """Return the connection whose request has been awaited for the longest time."""
        return next((conn for conn in self._pending if conn.phase is not Phase.HANDSHAKE_STEP), None)

    def connection_to_drop(self, conn: Connection) -> Connection | None:
        """Return the connection to drop if incomplete requests use too much memory, after this one has grown; None if
        they do not."""
        if len(conn.buffer) <= READ_SIZE or sum(len(c.buffer) for c in self._pending) <= MOST_BUFFERED_BYTES:
            return None
        # Drop the oldest one, because requests that are sent quickly have not been awaited for long.
        return next(c for c in self._pending if len(c.buffer) > READ_SIZE and c.phase is Phase.READING)
