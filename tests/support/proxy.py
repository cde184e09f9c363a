"""A TCP proxy that refuses, holds back what it is sent, or says nothing at all, as a test demands."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from types import TracebackType
from typing import Self

from tests.support.ports import free_port


class Proxy:
    """Listens on ``port`` of 127.0.0.1 and passes to one of ``backends`` (ports) in turn.

    ``delay`` (seconds) holds each piece back. ``is_silent``: connections are taken, and nothing is passed on, as when
    packets are dropped. Both count for connections that are open already.
    """

    def __init__(self, *backends: int) -> None:
        self.port = free_port()
        self.backends = list(backends)
        self.delay = 0.0
        self.is_silent = False
        self._turn = 0
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
                self._turn += 1
                backend = socket.create_connection(("127.0.0.1", self.backends[self._turn % len(self.backends)]), 5)
            except OSError:
                if self._closing.is_set():
                    return
                client.close()
                continue
            backend.settimeout(None)
            self._sockets |= {client, backend}
            for source, sink in ((client, backend), (backend, client)):
                threading.Thread(target=self._pass_on, args=(source, sink), daemon=True).start()

    def _pass_on(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65_536):
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
