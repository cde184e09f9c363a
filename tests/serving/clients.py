"""Clients that send exactly the bytes that a test specifies."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
from collections.abc import Iterable

from tests.support.system import Webhook, pod_of, review_of


def request(image: str = "nginx:1.25", *headers: str) -> bytes:
    """Return a complete request with a review."""
    body = json.dumps(review_of(pod_of(image))).encode()
    lines = ["POST /webhook HTTP/1.1", "Host: webhook", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def client_hello() -> bytes:
    """Return the first message of a TLS client."""
    outgoing = ssl.MemoryBIO()
    context = ssl.create_default_context()
    with contextlib.suppress(ssl.SSLWantReadError):
        context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="localhost").do_handshake()
    return outgoing.read()


def connect(webhook: Webhook, *, tls: bool = True) -> socket.socket:
    sock = socket.create_connection(("127.0.0.1", webhook.port), timeout=10)
    return secured(sock) if tls else sock


def secured(sock: socket.socket) -> ssl.SSLSocket:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context.wrap_socket(sock)


def answer(sock: socket.socket) -> tuple[int, bytes]:
    """Return status and body of the next response, which has a Content-Length."""
    received = b""
    while b"\r\n\r\n" not in received:
        data = sock.recv(65_536)
        assert data, f"the connection ended after {received!r}"
        received += data
    head, _, body = received.partition(b"\r\n\r\n")
    status = int(head.split()[1])
    if status == 100:
        return answer_after(sock, body)
    size = int(head.lower().partition(b"content-length:")[2].split()[0])
    while len(body) < size:
        data = sock.recv(65_536)
        assert data, f"the connection ended after {received!r}"
        body += data
    return status, body


def answer_after(sock: socket.socket, received: bytes) -> tuple[int, bytes]:
    assert not received, "the final answer came before the body was sent"
    return 100, b""


def are_closed(socks: Iterable[socket.socket]) -> bool:
    """Return whether the server has closed all of these connections."""
    for sock in socks:
        sock.settimeout(0.01)
        try:
            while sock.recv(65_536):
                pass
        except (TimeoutError, BlockingIOError, ssl.SSLWantReadError):
            return False
        except OSError:
            continue
    return True
