"""A TCP proxy that refuses, holds back what it is sent, says nothing at all, or forgets, as a test demands."""

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
    """Listens on ``port`` of 127.0.0.1 and passes to one of ``backends`` (ports) in turn.

    ``delay`` (seconds) holds each piece back. ``is_silent``: connections are taken, and nothing is passed on, as when
    packets are dropped. Both count for connections that are open already. ``opened`` counts connections, and ``resets``
    those that were used after ``forget``.
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
                self.opened += 1
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
        """As a gateway forgets idle connections: the next packet of each is answered with a reset."""
        self._forgotten = self.opened

    def _pass_on(self, source: socket.socket, sink: socket.socket, number: int | None) -> None:
        """``number`` is that of the connection on the way from its client."""
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
