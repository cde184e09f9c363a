"""Ends a database connection whose other side has stopped talking, in the middle of a query.

The server's own time-outs don't help when its answers don't come through, and the driver waits for ever.
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

CUT_AFTER: Final = 3.0
"""Seconds: longer than the server's own limit for a statement."""

STATEMENT_LOOK_EVERY: Final = 0.5
"""Seconds between two looks at the statement that runs: how late it may be cut."""

CONNECTION_CUT: Final = "The database stopped responding during a query; its connection was closed"
"""A message of the log."""


class QueryWatchdog:
    """Watches the work of one thread with its connection. ``seconds`` is how long it has been at one statement."""

    def __init__(self) -> None:
        self._began: float | None = None
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
        began = self._began
        return time.monotonic() - began if began is not None else 0.0

    @contextmanager
    def watching(self) -> Iterator[None]:
        """To be entered by the thread that has the connection."""
        with self._lock:
            self._socket = _duplicate()
            self._began = time.monotonic()
        try:
            with connection.execute_wrapper(self._restart):
                yield
        finally:
            with self._lock:
                self._began = None
                if self._socket is not None:
                    self._socket.close()
                    self._socket = None

    def _restart(self, execute: Callable[..., Any], *args: Any) -> Any:
        """Each statement has its time: many small ones are no sign of a silent server."""
        self._began = time.monotonic()
        try:
            return execute(*args)
        finally:
            self._began = time.monotonic()

    def _run(self) -> None:
        while not self._stopping.wait(STATEMENT_LOOK_EVERY):
            with self._lock:
                if self._socket is None or self.seconds < CUT_AFTER:
                    continue
                log.warning(CONNECTION_CUT)
                with suppress(OSError):
                    self._socket.shutdown(socket.SHUT_RDWR)


def _duplicate() -> socket.socket | None:
    """Another handle of Postgres's socket, which stays valid when the driver closes its own; None without one."""
    pgconn = getattr(connection.connection, "pgconn", None)
    with suppress(Exception):
        return socket.socket(fileno=os.dup(pgconn.socket)) if pgconn is not None else None
    return None
