"""The heads of HTTP messages with any content."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from http.client import HTTPException

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirrors.oci.http.http_messages import MAX_HEAD_BYTES, MAX_LINES, Response, request_head

NAMES = st.from_regex(r"[A-Za-z][A-Za-z0-9-]{0,20}", fullmatch=True).filter(
    lambda name: name.lower() not in {"transfer-encoding", "content-length", "connection"}
)
VALUES = st.text(st.characters(min_codepoint=0x21, max_codepoint=0xFF), max_size=40)


def received(raw: bytes, method: str = "GET") -> Response:
    """Return the response that is parsed from these bytes before the connection closes."""
    ours, theirs = socket.socketpair()
    with ours:
        sending = threading.Thread(target=send, args=(theirs, raw))
        sending.start()
        response = Response(ours, method)
        try:
            response.begin()
        finally:
            sending.join(1)  # if a head is refused, the rest is not read
        return response


def send(sock: socket.socket, raw: bytes) -> None:
    with sock, suppress(OSError):
        sock.sendall(raw)


def body(raw: bytes, method: str = "GET") -> bytes:
    return received(raw, method).read()


@pytest.mark.parametrize(
    ("raw", "read", "is_reusable"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 5, True),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 4, False),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 0, True),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello", 5, False),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", 6, True),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", 5, False),
        (b"HTTP/1.1 200 OK\r\n\r\nhello", 6, False),
    ],
)
def test_a_connection_is_released_once_and_reused_only_after_a_full_response(
    raw: bytes, read: int, is_reusable: bool
) -> None:
    response = received(raw)
    freed: list[bool] = []
    response.release = freed.append
    while read and (piece := response.read_piece(read)):
        read -= len(piece)

    response.finish()
    response.finish()

    assert freed == [is_reusable]


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhell",
    ],
)
def test_a_truncated_body_is_an_error(raw: bytes) -> None:
    response = received(raw)
    assert response.read_piece(9) == b"hell"
    with pytest.raises(HTTPException):
        response.read_piece(9)


@pytest.mark.parametrize(
    ("head", "method", "length", "is_chunked", "will_close"),
    [
        ("HTTP/1.1 200 OK\r\nContent-Length: 5", "GET", 5, False, False),
        ("HTTP/1.1 200\r\ncontent-length:5", "GET", 5, False, False),
        ("HTTP/1.1 200 OK\nContent-Length: 5 ", "GET", 5, False, False),
        ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5", "GET", 5, False, False),
        ("HTTP/1.1 200 OK\r\nContent-Length: 5, 5", "GET", 5, False, False),
        ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: Close", "GET", 5, False, True),
        ("HTTP/1.1 200 OK\r\nContent-Length: 5", "HEAD", 0, False, False),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked", "HEAD", 0, False, False),
        ("HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked", "GET", 0, False, False),
        ("HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c", "GET", 0, False, False),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked", "GET", None, True, False),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\nContent-Length: 5", "GET", 5, False, False),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding:\r\nContent-Length: 5", "GET", 5, False, False),
        ("HTTP/1.1 200 OK\r\nContent-Length:\r\nConnection: close", "GET", None, False, True),
        ("HTTP/1.1 200 OK\r\nContent-Length: 05\r\nContent-Length: 5", "GET", 5, False, False),
        ("HTTP/1.1  200 OK\r\nContent-Length: 5", "GET", 5, False, False),
        ("HTTP/1.1 204 No Content", "GET", 0, False, False),
        ("HTTP/1.1 304 Not Modified\r\nContent-Length: 5", "GET", 0, False, False),
        ("HTTP/1.1 200 OK", "GET", None, False, True),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked", "GET", None, True, False),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 5", "GET", None, True, False),
        ("HTTP/1.0 200 OK\r\nContent-Length: 5", "GET", 5, False, True),
        ("HTTP/1.0 200 OK\r\nContent-Length: 5\r\nConnection: keep-alive", "GET", 5, False, False),
        ("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5", "GET", 5, False, False),
        ("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5", "GET", 5, False, False),
    ],
)
def test_the_head_determines_how_the_body_ends(
    head: str, method: str, length: int | None, is_chunked: bool, will_close: bool
) -> None:
    response = received(f"{head}\r\n\r\n".encode(), method)

    assert (response.length, response.chunked, response.will_close) == (length, is_chunked, will_close)


def test_a_body_of_each_framing_is_read() -> None:
    assert body(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello") == b"hello"
    assert body(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n") == b"hello"
    assert body(b"HTTP/1.1 200 OK\r\n\r\nhello") == b"hello"
    assert body(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "HEAD") == b""


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"HTTP/1.1 200 OK",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n",
        b"HTTP/2 200\r\n\r\n",
        b"HTTP/1.1 20 OK\r\n\r\n",
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\rX: y\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
        b"<html></html>\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Length: 0x5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Length: " + b"5" * 60_000 + b"\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nContent-Length: ²\r\n\r\nhello".encode("latin-1"),
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * (MAX_LINES + 1) + b"\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * MAX_HEAD_BYTES + b"\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" * 20_000,
        b"HTTP/1.1 100 Continue\r\nX: y\r\n" + b" z\r\n" * 98 + b"\r\n",
    ],
)
def test_an_invalid_response_head_is_an_error(raw: bytes) -> None:
    with pytest.raises(HTTPException):
        received(raw)


@pytest.mark.parametrize(
    "line",
    [
        b"no colon",
        b"Name : value",
        b": value",
        b"Name: a\rb",
        b"Name: a\x00b",
        b"Na\x00me: a",
        b"no colon\r\n and its second line",
        b"X:" + b" " * 60_000 + b"\x00",
        b"X: a" + b" " * 60_000 + b"\x00",
        b"X" * 60_000 + b"\x00",
    ],
)
def test_an_invalid_header_line_is_ignored(line: bytes) -> None:
    raw = b"HTTP/1.1 200 OK\r\nA: b\r\n" + line + b"\r\nContent-Length: 0\r\n\r\n"

    assert dict(received(raw).headers) == {"A": "b", "Content-Length": "0"}


@pytest.mark.parametrize(
    ("line", "value"),
    [
        (b"X: a" + b" " * 60_000 + b"b", "a" + " " * 60_000 + "b"),
        (b"X: a\r\n" + b" " * 60_000 + b"b", "a b"),
        (b"X[1]/B: a", None),
    ],
)
def test_headers_with_many_spaces_or_unusual_names_are_parsed(line: bytes, value: str | None) -> None:
    """A pattern that tries every way to divide these lines would take minutes."""
    headers = received(b"HTTP/1.1 200 OK\r\n" + line + b"\r\nContent-Length: 0\r\n\r\n").headers

    assert headers.get("X") == value
    assert len(headers) == 2


def test_the_maximum_number_of_headers_is_read() -> None:
    raw = b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * (MAX_LINES - 1) + b"Content-Length: 0\r\n\r\n"

    assert received(raw).headers.getlist("x") == ["y"] * (MAX_LINES - 1)


def test_a_continuation_line_without_a_header_is_ignored() -> None:
    raw = b"HTTP/1.1 200 OK\r\n folded: onto nothing\r\nContent-Length: 0\r\n\r\n"

    assert dict(received(raw).headers) == {"Content-Length": "0"}


def test_a_header_folded_over_several_lines_is_joined() -> None:
    raw = b"HTTP/1.1 200 OK\r\nLink: </a>;\r\n\t rel=next \r\nContent-Length: 0\r\n\r\n"

    assert received(raw).headers["link"] == "</a>; rel=next"


@given(st.lists(st.tuples(NAMES, VALUES), max_size=20))
def test_generated_headers_are_read_back_unchanged(pairs: list[tuple[str, str]]) -> None:
    lines = "".join(f"{name}: {value}\r\n" for name, value in pairs)

    headers = received(f"HTTP/1.1 200 OK\r\n{lines}\r\n".encode("latin-1")).headers

    for name in {name.lower() for name, _ in pairs}:
        assert headers.getlist(name) == [value for each, value in pairs if each.lower() == name]


@given(st.binary(max_size=400), st.booleans())
def test_arbitrary_bytes_parse_as_a_response_or_raise_an_http_exception(raw: bytes, has_status: bool) -> None:
    prefix = b"HTTP/1.1 200 OK\r\n" if has_status else b""
    try:
        response = received(prefix + raw)
    except HTTPException:
        return
    assert 200 <= response.status < 1000


def test_a_request_head_is_written_with_crlf_line_endings() -> None:
    head = request_head("GET", "/v2/a%2fb?x=é", "registry.test:5000", {"Accept": "text/plain"})

    assert head == "GET /v2/a%2fb?x=é HTTP/1.1\r\nHost: registry.test:5000\r\nAccept: text/plain\r\n\r\n".encode(
        "latin-1"
    )


@pytest.mark.parametrize(
    ("target", "value"),
    [("/a b", "x"), ("/a\r\nX: y", "x"), ("/a\x00", "x"), ("/a", "x\r\nX: y"), ("/a", "x\n"), ("/a", "x\x00")],
)
def test_invalid_characters_in_a_request_head_are_rejected(target: str, value: str) -> None:
    with pytest.raises(ValueError, match="character"):
        request_head("GET", target, "registry.test", {"X-Value": value})
