"""A client's connection that never makes a thread wait: handshake and request are taken in as their bytes come."""

from __future__ import annotations

import os
import random
import socket
import ssl
import time
from enum import Enum, auto
from typing import Any, Final

from gunicorn import http, sock
from gunicorn.workers.gthread import TConn

from swapper_project.serving.framing import Framing

OLD_AFTER: Final = (240.0, 360.0)
"""Seconds after which a connection is ended with an answer, so that clients spread over new replicas."""

SEND_TIMEOUT: Final = 2.0 if os.environ.get("SWAPPER_ROLE") == "webhook" else 30.0
"""Seconds in which an answer must go out. The webhook's fit into the kernel's buffers; a page goes to slow browsers."""

PIECE: Final = 64 * 1024
"""Bytes that are read at once: more than a review of a usual pod has."""

_WANTS_MORE = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class Phase(Enum):
    """The next step that is expected of the client. ``SHAKING_HANDS``: nothing, a thread is at one step of the
    handshake."""

    SECURING = auto()
    SHAKING_HANDS = auto()
    COLLECTING = auto()
    KEPT = auto()
    LEAVING = auto()


class Connection(TConn):  # type: ignore[misc]
    """``phase`` and ``timeout`` (monotonic, when patience with it ends) are kept by the worker."""

    sock: socket.socket

    def __init__(self, cfg: Any, client_sock: socket.socket, client: Any, server: Any) -> None:
        super().__init__(cfg, client_sock, client, server)  # takes the socket out of blocking mode
        self.phase = Phase.SECURING if cfg.is_ssl else Phase.COLLECTING
        self.buffer = bytearray()
        self.whole_at = 0.0
        self.old_at = time.monotonic() + random.uniform(*OLD_AFTER)
        self._framing = Framing()

    @property
    def is_old(self) -> bool:
        return time.monotonic() >= self.old_at

    @property
    def has_request(self) -> bool:
        """Whether a whole request is in the buffer."""
        return self._framing.size(self.buffer) is not None

    def shake_hands(self) -> bool:
        """One step of the TLS handshake; whether it is done. Raises OSError."""
        if not isinstance(self.sock, ssl.SSLSocket):
            context: ssl.SSLContext = sock.ssl_context(self.cfg)
            self.sock = context.wrap_socket(
                self.sock, server_side=True, suppress_ragged_eofs=True, do_handshake_on_connect=False
            )
        try:
            self.sock.do_handshake()
        except _WANTS_MORE:
            return False
        return True

    def receive(self) -> bool:
        """Take in what has come; whether a request is whole. Raises OSError, EOFError at the client's end."""
        while not self.has_request:
            try:
                data = self.sock.recv(PIECE)
            except _WANTS_MORE:
                return False
            if not data:
                raise EOFError
            self.buffer += data
            if self._should_say_go_on():
                self.sock.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        return True

    def _should_say_go_on(self) -> bool:
        """Once per request, to a client that waits for 100 Continue before it sends the body."""
        if self._framing.size(self.buffer) is not None or not self._framing.expects_continue:
            return False
        self._framing.expects_continue = False
        return True

    def next_request(self) -> Any:
        """gunicorn's request from the buffer. Raises what its parser raises."""
        size = self._framing.size(self.buffer)
        data = bytes(self.buffer[:size])
        del self.buffer[:size]
        truncated, self._framing = self._framing.is_truncated, Framing()
        self.sock.settimeout(SEND_TIMEOUT)
        request = next(http.get_parser(self.cfg, [data], self.client))
        if truncated:
            request.force_close()
        # If the client expected it, 100 Continue has been sent.
        request._expected_100_continue = False
        return request
