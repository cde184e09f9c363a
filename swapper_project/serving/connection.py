"""A client's connection that never blocks a thread: handshake and request are processed as their bytes arrive."""

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

CONNECTION_LIFETIME: Final = (240.0, 360.0)
"""The range of seconds after which a connection is closed with its next response, so that clients also use new
replicas."""

SEND_TIMEOUT: Final = 2.0 if os.environ.get("SWAPPER_ROLE") == "webhook" else 30.0
"""The timeout in seconds for sending a response. Those of the webhook fit into the kernel's buffers; pages are sent to
slow browsers."""

READ_SIZE: Final = 64 * 1024
"""The maximum number of bytes per read: more than the review of a typical pod has."""

_WANTS_MORE = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class Phase(Enum):
    """The next step that the server expects from the client. ``HANDSHAKE_STEP``: none, because a thread is processing a
    step of the handshake."""

    HANDSHAKE = auto()
    HANDSHAKE_STEP = auto()
    READING = auto()
    IDLE = auto()
    CLOSING = auto()


class Connection(TConn):  # type: ignore[misc]
    """A connection with its buffer. The worker sets ``phase`` and ``timeout`` (the deadline, monotonic)."""

    sock: socket.socket

    def __init__(self, cfg: Any, client_sock: socket.socket, client: Any, server: Any) -> None:
        super().__init__(cfg, client_sock, client, server)  # makes the socket non-blocking
        self.phase = Phase.HANDSHAKE if cfg.is_ssl else Phase.READING
        self.buffer = bytearray()
        self.completed_at = 0.0
        self.closes_after = time.monotonic() + random.uniform(*CONNECTION_LIFETIME)
        self._framing = Framing()

    @property
    def is_expired(self) -> bool:
        return time.monotonic() >= self.closes_after

    @property
    def has_request(self) -> bool:
        """Whether a complete request is in the buffer."""
        return self._framing.size(self.buffer) is not None

    def advance_handshake(self) -> bool:
        """Perform one step of the TLS handshake. Return whether the handshake is complete. Raises OSError."""
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
        """Read the bytes that have arrived. Return whether a request is complete. Raises OSError, and EOFError if the
        client has closed its side."""
        while not self.has_request:
            try:
                data = self.sock.recv(READ_SIZE)
            except _WANTS_MORE:
                return False
            if not data:
                raise EOFError
            self.buffer += data
            if self._should_send_continue():
                self.sock.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        return True

    def _should_send_continue(self) -> bool:
        """Return whether to send 100 Continue: once per request, if the client waits for it before sending the body."""
        if self._framing.size(self.buffer) is not None or not self._framing.expects_continue:
            return False
        self._framing.expects_continue = False
        return True

    def next_request(self) -> Any:
        """Remove the complete request from the buffer, and return it as gunicorn's request. Raises the errors of
        gunicorn's parser."""
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
