"""Clients that say a part of what they have to say, or nothing, delay nobody else."""

from __future__ import annotations

import contextlib
import socket
import threading
import time

from tests.serving.clients import answer, are_closed, client_hello, connect, request
from tests.support.ports import wait_until
from tests.support.steady import SteadyLoad
from tests.support.system import Webhook

EACH = 200


def good_request(webhook: Webhook) -> float:
    """Seconds until a new client has its answer."""
    began = time.monotonic()
    with contextlib.closing(connect(webhook)) as sock:
        sock.sendall(request())
        assert answer(sock)[0] == 200
    return time.monotonic() - began


def test_stalled_clients_delay_nobody(webhook: Webhook) -> None:
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
            """One byte a second and connection."""
            while not stop.wait(1.0):
                for sock in dripping:
                    with contextlib.suppress(OSError):
                        sock.send(b"x")

        dripper = threading.Thread(target=drip, daemon=True)
        dripper.start()
        for _ in range(10):
            assert good_request(webhook) < 5
        wait_until(lambda: are_closed(stalled), timeout=30, what="the end of all stalled connections")
        stop.set()
        dripper.join()
        assert good_request(webhook) < 1
    for sock in stalled:
        sock.close()


def test_thousands_of_connections_opened_and_dropped_delay_nobody(webhook: Webhook) -> None:
    with SteadyLoad(webhook, "nginx:1.25"):
        for number in range(5_000):
            connect(webhook, tls=False).close()
            if number % 500 == 0:
                assert good_request(webhook) < 5


def test_more_connections_than_the_server_holds_shut_nobody_out(webhook: Webhook) -> None:
    """The one that has been silent for the longest time makes room."""
    silent = [connect(webhook, tls=False) for _ in range(4_200)]

    assert good_request(webhook) < 5
    assert are_closed(silent[:50])
    for sock in silent:
        sock.close()


def test_a_client_that_reads_no_answers_holds_no_thread(webhook: Webhook) -> None:
    greedy = [connect(webhook) for _ in range(40)]
    for sock in greedy:
        sock.settimeout(0.2)
        with contextlib.suppress(OSError):
            for _ in range(300):
                sock.sendall(request())

    assert good_request(webhook) < 5
    for sock in greedy:
        sock.close()
