"""A TCP proxy with faults that a test controls: delays, silence, and connections that it forgets."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from types import TracebackType
from typing import Self

from tests.support.ports import free_port


class Proxy:
    """A proxy that listens on ``port`` of 127.0.0.1 and forwards each connection to the next of ``backends`` (ports).

    ``delay`` is how long each piece of data is delayed, in seconds. While ``is_silent`` is true, connections are
    accepted but no data is forwarded, as when packets are dropped. Both also apply to open connections. ``opened``
    counts connections, and ``resets`` counts connections that were used after ``forget``.
    """

    def __init__(self, *backends: int) -> None:
        self.port = free_port()
        self.backends = list(backends)
        self.delay = 0.0
        self.is_silent = False
        self.opened = self.resets = self._forgotten = 0
        self._closing = threading.Event()
        self._sockets: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", self.port), backlog=512)

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        for sock in [self._listener, *self._sockets]:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()

    def _accept(self) -> None:
        while not self._closing.is_set():
            try:
                client, _ = self._listener.accept()
            except OSError:
                continue
            self.opened += 1
            try:
                backend = socket.create_connection(("127.0.0.1", self.backends[self.opened % len(self.backends)]), 5)
            except OSError:
                if self._closing.is_set():
                    return
                client.close()
                continue
            backend.settimeout(None)
            self._sockets |= {client, backend}
            for way in ((client, backend, self.opened), (backend, client, None)):
                threading.Thread(target=self._pass_on, args=way, daemon=True).start()

    def forget(self) -> None:
        """Forget idle connections, as a gateway does: the next packet of each open connection is answered with a
        reset."""
        self._forgotten = self.opened

    def _pass_on(self, source: socket.socket, sink: socket.socket, number: int | None) -> None:
        """Forward data. ``number`` is the number of the connection in the direction from the client, otherwise None."""
        with contextlib.suppress(OSError):
            while data := source.recv(65_536):
                if number is not None and number <= self._forgotten:
                    self.resets += 1
                    source.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    source.close()
                    break
                while self.is_silent and not self._closing.wait(0.05):
                    pass
                if self.delay:
                    time.sleep(self.delay)
                sink.sendall(data)
        for sock in (source, sink):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()
            self._sockets.discard(sock)
