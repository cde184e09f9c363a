"""Clients that send only a part of their request, or nothing, do not delay other clients."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time

from tests.serving.clients import answer, are_closed, client_hello, connect, request, secured
from tests.support.ports import wait_until
from tests.support.steady_load import SteadyLoad
from tests.support.system import Webhook

EACH = 200


def good_request(webhook: Webhook) -> float:
    """Return the seconds until a new client has its response."""
    started = time.monotonic()
    with contextlib.closing(connect(webhook)) as sock:
        sock.sendall(request())
        assert answer(sock)[0] == 200
    return time.monotonic() - started


def test_stalled_clients_are_closed_and_do_not_delay_others(webhook: Webhook) -> None:
    hello, whole = client_hello(), request()
    stalled: list[socket.socket] = []
    with SteadyLoad(webhook, "nginx:1.25"):
        for number in range(EACH):
            silent, half_shaken, half_head, half_body = (
                connect(webhook, tls=tls) for tls in (False, False, True, True)
            )
            half_shaken.sendall(hello[:60])
            half_head.sendall(whole[:40])
            half_body.sendall(whole[:-50])
            stalled += [silent, half_shaken, half_head, half_body]
            if number % 20 == 0:
                assert good_request(webhook) < 5
        dripping = list(stalled[2::4])
        stop = threading.Event()

        def drip() -> None:
            """Send one byte a second on each connection."""
            while not stop.wait(1.0):
                for sock in dripping:
                    with contextlib.suppress(OSError):
                        sock.send(b"x")

        dripper = threading.Thread(target=drip, daemon=True)
        dripper.start()
        for _ in range(10):
            assert good_request(webhook) < 5
        wait_until(lambda: are_closed(stalled), what="the end of all stalled connections")
        stop.set()
        dripper.join()
        assert good_request(webhook) < 1
    for sock in stalled:
        sock.close()


def test_thousands_of_dropped_connections_do_not_delay_others(webhook: Webhook) -> None:
    with SteadyLoad(webhook, "nginx:1.25"):
        for number in range(5_000):
            connect(webhook, tls=False).close()
            if number % 500 == 0:
                assert good_request(webhook) < 5


def test_the_oldest_idle_connections_are_closed_above_the_connection_limit(webhook: Webhook) -> None:
    """The connection that has been silent for the longest time is closed."""
    silent = [connect(webhook, tls=False) for _ in range(4_200)]

    assert good_request(webhook) < 5
    assert are_closed(silent[:50])
    for sock in silent:
        sock.close()


def test_an_endless_chunk_size_line_does_not_delay_others(webhook: Webhook) -> None:
    """Its size line never ends, and arrives slowly."""
    with contextlib.closing(connect(webhook)) as sock:
        sock.sendall(b"POST /webhook HTTP/1.1\r\nHost: w\r\nTransfer-Encoding: chunked\r\n\r\n1;")
        with contextlib.suppress(OSError):
            for _ in range(60):
                sock.sendall(b"x" * 65_536)
        slowest = 0.0
        for _ in range(40):
            with contextlib.suppress(OSError):
                sock.sendall(b"x" * 50)
            slowest = max(slowest, good_request(webhook))
        assert slowest < 1


def test_stalled_bodies_do_not_block_a_request_that_arrives_in_pieces(webhook: Webhook) -> None:
    """The memory for unfinished requests is exhausted. A valid request that arrives in pieces is not dropped."""
    stalled = []
    for _ in range(17):
        sock = connect(webhook)
        sock.sendall(b"POST /webhook HTTP/1.1\r\nHost: w\r\nContent-Length: 4000000\r\n\r\n" + b"x" * 3_990_000)
        stalled.append(sock)
    whole = request("nginx:1.25", "X-Padding: none")
    head, _, body = whole.partition(b"\r\n\r\n")
    body = body[:-1] + b', "padding": "' + b"y" * 300_000 + b'"}'
    head = head.replace(b"Content-Length: ", b"X-Length: ") + f"\r\nContent-Length: {len(body)}".encode()
    with contextlib.closing(connect(webhook)) as sock:
        sock.sendall(head + b"\r\n\r\n")
        for at in range(0, len(body), 16_384):
            sock.sendall(body[at : at + 16_384])
            time.sleep(0.005)
        assert answer(sock)[0] == 200
    for sock in stalled:
        sock.close()


def test_clients_that_read_no_responses_are_closed_and_do_not_delay_others(webhook: Webhook) -> None:
    """Its receive window is minimal, and the responses fill the buffers in between."""
    greedy = []
    for _ in range(40):
        raw = socket.socket()
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        raw.connect(("127.0.0.1", webhook.port))
        sock = secured(raw)
        sock.settimeout(0.2)
        greedy.append(sock)
        with contextlib.suppress(OSError):
            for _ in range(300):
                sock.sendall(b"GET /metrics HTTP/1.1\r\nHost: webhook\r\n\r\n" * 10)

    assert good_request(webhook) < 5
    wait_until(lambda: are_closed_by_server(greedy), timeout=180, what="the end of those that read nothing")
    assert good_request(webhook) < 1
    for sock in greedy:
        sock.close()


def are_closed_by_server(socks: list[ssl.SSLSocket]) -> bool:
    """Return whether the server has closed the connections, without reading: a client that continues to send gets a
    reset."""
    left = []
    for sock in socks:
        try:
            sock.send(b"GET /metrics HTTP/1.1\r\nHost: webhook\r\n\r\n")
            left.append(sock)
        except TimeoutError:
            left.append(sock)
        except OSError:
            continue
    return not left
