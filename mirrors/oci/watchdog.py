"""Ends exchanges that take too long as a whole: socket time-outs alone start again with every byte that drips in."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

TICK_SECONDS = 0.05


class Watch:
    """One exchange under watch. It holds a duplicate of the socket, still valid when TLS takes over the original."""

    def __init__(self, deadline: float) -> None:
        self.deadline = deadline
        self.expired = False
        self._sockets: list[socket.socket] = []
        self._lock = threading.Lock()

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

    def release(self) -> None:
        with self._lock:
            while self._sockets:
                self._sockets.pop().close()

    def _shut_down(self) -> None:
        for duplicate in self._sockets:
            with suppress(OSError):
                duplicate.shutdown(socket.SHUT_RDWR)


class Watchdog:
    """One thread for all exchanges of an engine, started when it is first needed."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._active: set[Watch] = set()
        self._thread: threading.Thread | None = None
        self._current = threading.local()

    @contextmanager
    def watching(self, seconds: float) -> Iterator[Watch]:
        """Sockets that this thread opens or uses inside the block are shut down once the time is up."""
        watch = Watch(time.monotonic() + seconds)
        with self._changed:
            self._active.add(watch)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="oci-watchdog", daemon=True)
                self._thread.start()
            if len(self._active) == 1:
                self._changed.notify()
        self._current.watch = watch
        try:
            yield watch
        finally:
            self._current.watch = None
            with self._changed:
                self._active.discard(watch)
            watch.release()

    def attach(self, sock: socket.socket) -> None:
        """Puts a socket under the watch of the calling thread, if it has one."""
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
