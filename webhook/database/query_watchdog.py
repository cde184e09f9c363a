"""Closes a database connection if the server stops responding during a query.

The server's own timeouts do not help if its responses are lost, and the driver waits without a limit.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

import structlog
from django.db import connection

log = structlog.get_logger(__name__)

CLOSE_CONNECTION_AFTER: Final = 3.0
"""Seconds of one statement after which the connection is closed: longer than the server's own limit for a statement."""

STATEMENT_CHECK_INTERVAL: Final = 0.5
"""Seconds between two checks of the running statement, which is also the maximum delay of closing its connection."""

CONNECTION_CLOSED: Final = "The database stopped responding during a query; its connection was closed"
"""The log message when a connection is closed."""


class QueryWatchdog:
    """Watches the queries of one thread. ``seconds`` is the time that the current statement has taken so far."""

    def __init__(self) -> None:
        self._started_at: float | None = None
        self._socket: socket.socket | None = None
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="query-watchdog", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()

    @property
    def seconds(self) -> float:
        started_at = self._started_at
        return time.monotonic() - started_at if started_at is not None else 0.0

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Watch the queries in this context. Only the thread that owns the connection may enter it."""
        with self._lock:
            self._socket = _duplicate()
            self._started_at = time.monotonic()
        try:
            with connection.execute_wrapper(self._time_statement):
                yield
        finally:
            with self._lock:
                self._started_at = None
                if self._socket is not None:
                    self._socket.close()
                    self._socket = None

    def _time_statement(self, execute: Callable[..., Any], *args: Any) -> Any:
        """Measure the time of each statement separately: many short ones do not mean that the server is silent."""
        self._started_at = time.monotonic()
        try:
            return execute(*args)
        finally:
            self._started_at = time.monotonic()

    def _run(self) -> None:
        while not self._stopping.wait(STATEMENT_CHECK_INTERVAL):
            with self._lock:
                if self._socket is None or self.seconds < CLOSE_CONNECTION_AFTER:
                    continue
                log.warning(CONNECTION_CLOSED)
                with suppress(OSError):
                    self._socket.shutdown(socket.SHUT_RDWR)


def _duplicate() -> socket.socket | None:
    """Return a duplicate of the socket to Postgres, which stays valid when the driver closes its own; None if there is
    no such socket."""
    pgconn = getattr(connection.connection, "pgconn", None)
    with suppress(Exception):
        return socket.socket(fileno=os.dup(pgconn.socket)) if pgconn is not None else None
    return None
