"""Ends exchanges that take too long as a whole. Socket timeouts do not, because they restart with every byte
received."""

from __future__ import annotations

import math
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress

TICK_SECONDS = 0.05
"""Seconds between two checks of all watches: how late a time limit may take effect."""


class Watch:
    """The time limit of one exchange. Holds duplicates of its sockets, which stay valid when TLS takes over the
    originals."""

    def __init__(self, watchdog: Watchdog, seconds: float) -> None:
        self.deadline = time.monotonic() + seconds
        self.expired = False
        self._watchdog = watchdog
        self._sockets: list[socket.socket] = []
        self._lock = threading.Lock()

    def extend(self, seconds: float) -> None:
        """Give the peer `seconds` from now on."""
        self.deadline = time.monotonic() + seconds

    def clear_deadline(self) -> None:
        """Stop the deadline: no response is pending."""
        self.deadline = math.inf

    def end(self) -> None:
        self._watchdog.forget(self)
        with self._lock:
            while self._sockets:
                self._sockets.pop().close()

    def on_this_thread(self) -> AbstractContextManager[None]:
        """Attach the sockets that this thread opens or uses inside the block to this watch. A nested block replaces the
        outer watch until it ends."""
        return self._watchdog.using(self)

    def attach(self, sock: socket.socket) -> None:
        duplicate = socket.socket(fileno=os.dup(sock.fileno()))
        with self._lock:
            self._sockets.append(duplicate)
            if self.expired:
                self._shut_down()

    def expire(self) -> None:
        with self._lock:
            self.expired = True
            self._shut_down()

    def _shut_down(self) -> None:
        for duplicate in self._sockets:
            with suppress(OSError):
                duplicate.shutdown(socket.SHUT_RDWR)


class Watchdog:
    """Checks all exchanges of an engine on one thread, which starts when it is first needed."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._active: set[Watch] = set()
        self._thread: threading.Thread | None = None
        self._current = threading.local()

    def watch(self, seconds: float) -> Watch:
        """Return a watch whose sockets are shut down after `seconds`. The caller must end the watch."""
        watch = Watch(self, seconds)
        with self._changed:
            self._active.add(watch)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="oci-watchdog", daemon=True)
                self._thread.start()
            if len(self._active) == 1:
                self._changed.notify()
        return watch

    def forget(self, watch: Watch) -> None:
        with self._changed:
            self._active.discard(watch)

    @contextmanager
    def using(self, watch: Watch) -> Iterator[None]:
        outer: Watch | None = getattr(self._current, "watch", None)
        self._current.watch = watch
        try:
            yield
        finally:
            self._current.watch = outer

    def attach(self, sock: socket.socket) -> None:
        """Attach a socket to the watch of the calling thread, if it has one."""
        watch: Watch | None = getattr(self._current, "watch", None)
        if watch is not None:
            watch.attach(sock)

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._active:
                    self._changed.wait()
                now = time.monotonic()
                late = [watch for watch in self._active if not watch.expired and watch.deadline <= now]
            for watch in late:
                watch.expire()
            time.sleep(TICK_SECONDS)
