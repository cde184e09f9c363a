"""HTTP as clients send it: in pieces, pipelined, in chunks, too large, or not HTTP at all."""

from __future__ import annotations

import contextlib
import json
import random

import pytest

from tests.serving.clients import answer, are_closed, connect, request
from tests.support.ports import wait_until
from tests.support.system import Webhook


@pytest.fixture(scope="module")
def pieces() -> list[list[int]]:
    """Positions at which a request is cut."""
    generator = random.Random(20_261)
    whole = len(request())
    return [[1, 2, 3], [whole - 1], *(sorted(generator.sample(range(1, whole), 5)) for _ in range(20))]


def test_a_request_may_arrive_in_pieces(shared: Webhook, pieces: list[list[int]]) -> None:
    with contextlib.closing(connect(shared)) as sock:
        for cuts in pieces:
            whole = request()
            for start, end in zip([0, *cuts], [*cuts, len(whole)], strict=True):
                sock.sendall(whole[start:end])
            status, body = answer(sock)
            assert status == 200
            assert json.loads(body)["response"]["patch"]


def test_pipelined_requests_are_answered(shared: Webhook) -> None:
    with contextlib.closing(connect(shared)) as sock:
        sock.sendall(request() + request("ghcr.io/org/app:1") + request("auto")[:30])
        assert [answer(sock)[0], answer(sock)[0]] == [200, 200]


@pytest.mark.parametrize("trailer", [b"", b"X-Checksum: 1\r\n"], ids=["plain", "trailer"])
@pytest.mark.parametrize("size", [1, 7, 100_000])
def test_a_chunked_body_is_read_completely_and_the_connection_stays_open(
    shared: Webhook, size: int, trailer: bytes
) -> None:
    body = request().partition(b"\r\n\r\n")[2]
    chunks = [body[start : start + size] for start in range(0, len(body), size)]
    with contextlib.closing(connect(shared)) as sock:
        sock.sendall(b"POST /webhook HTTP/1.1\r\nHost: webhook\r\nTransfer-Encoding: chunked\r\n\r\n")
        for chunk in chunks:
            sock.sendall(b"%x;name=value\r\n%b\r\n" % (len(chunk), chunk))
        sock.sendall(b"0\r\n" + trailer + b"\r\n")
        assert answer(sock)[0] == 200
        # No data is left over, so the connection stays open.
        sock.sendall(request())
        assert answer(sock)[0] == 200


def test_expect_100_continue_is_answered_before_the_body_is_sent(shared: Webhook) -> None:
    head, _, body = request("nginx:1.25", "Expect: 100-continue").partition(b"\r\n\r\n")
    with contextlib.closing(connect(shared)) as sock:
        sock.sendall(head + b"\r\n\r\n")
        assert answer(sock) == (100, b"")
        sock.sendall(body)
        assert answer(sock)[0] == 200


@pytest.mark.parametrize(
    "sent",
    [
        b"POST /webhook HTTP/1.1\r\nHost: a\r\nContent-Length: 4194305\r\n\r\n",
        b"POST /webhook HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n500000\r\n",
    ],
    ids=["announced", "chunk"],
)
def test_an_oversized_body_is_rejected_before_it_is_sent(shared: Webhook, sent: bytes) -> None:
    with contextlib.closing(connect(shared)) as sock:
        sock.sendall(sent)
        status, body = answer(sock)
        assert status in (400, 413)
        assert json.loads(body)["detail"]
        assert sock.recv(1) == b"", "what follows could be the body's rest, so the connection must end"


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GARBAGE\r\n\r\n", 400),
        (b"POST /webhook HTTP/9.9\r\n\r\n", 400),
        (b"POST /webhook HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n", 400),
        (b"POST /webhook HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"y" * 70_000 + b"\r\n\r\n", 431),
        (b"GET /" + b"y" * 20_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 431),
        (b"\x16\x03\x01\x02\x00" + b"\r\n\r\n", 400),
    ],
)
def test_invalid_http_is_answered_with_problem_details(shared: Webhook, sent: bytes, status: int) -> None:
    with contextlib.closing(connect(shared)) as sock:
        sock.sendall(sent)
        got, body = answer(sock)
        problem = json.loads(body)
        assert got == status == problem["status"]
        assert problem["detail"] and problem["type"].startswith("urn:")


def test_an_invalid_chunk_size_is_rejected(shared: Webhook) -> None:
    with contextlib.closing(connect(shared)) as sock:
        sock.sendall(b"POST /webhook HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n\r\n")
        status, body = answer(sock)
        assert status == 400 and json.loads(body)["detail"]


def test_an_http_1_0_client_gets_a_response_and_the_connection_is_closed(shared: Webhook) -> None:
    with contextlib.closing(connect(shared)) as sock:
        sock.sendall(b"GET /livez HTTP/1.0\r\n\r\n")
        assert answer(sock) == (200, b"ok\n")
        assert sock.recv(1) == b""


def test_plain_http_to_the_tls_port_closes_the_connection(shared: Webhook) -> None:
    with contextlib.closing(connect(shared, tls=False)) as sock:
        sock.sendall(request())
        wait_until(lambda: are_closed([sock]), what="the end of the connection")
