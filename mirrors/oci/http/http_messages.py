"""Writes the heads of HTTP/1.1 requests, and parses those of responses. `http.client` parses headers with the email
parser, which took a tenth of the CPU time of small copies; it still reads the bodies."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Mapping
from http.client import (
    NO_CONTENT,
    NOT_MODIFIED,
    SWITCHING_PROTOCOLS,
    HTTPException,
    HTTPResponse,
    IncompleteRead,
    RemoteDisconnected,
)
from typing import Final

from urllib3 import HTTPHeaderDict

MAX_HEAD_BYTES: Final = 256 * 1024
"""The maximum size of everything before a body, interim responses included. Registries send about 1 KiB."""

MAX_LINES: Final = 100
"""The maximum number of header lines of a response; registries send about ten. Each line of a folded header counts."""

_STATUS_LINE: Final = re.compile(rb"HTTP/1\.([0-9]) +([1-9][0-9]{2})(?:[ \t][^\r\n]*)?\r?\n")
# Adjacent parts must not match the same characters: the time would grow with the square of the line's length.
_HEADER: Final = re.compile(rb"([^\x00-\x20\x7f:]+):([^\x00\r\n]*)\r?\n")
_CONTINUATION: Final = re.compile(rb"[ \t]([^\x00\r\n]*)\r?\n")
_WITHOUT_BODY: Final = frozenset({SWITCHING_PROTOCOLS, NO_CONTENT, NOT_MODIFIED})
_LENGTH: Final = re.compile(r"[0-9]{1,18}")
_NOT_IN_TARGET: Final = re.compile(r"[\x00-\x20\x7f]")
_NOT_IN_HEADER: Final = re.compile(r"[\x00\r\n]")


def request_head(method: str, target: str, authority: str, headers: Mapping[str, str]) -> bytes:
    """Return the head of a request. Raises ValueError for a character that would end its line. URLs of registries
    arrive in headers that are decoded as Latin-1, so the same encoding sends back the same bytes."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    if _NOT_IN_TARGET.search(target) or any(map(_NOT_IN_HEADER.search, headers.values())):
        raise ValueError("a character that is not allowed here in a request")
    return f"{method} {target} HTTP/1.1\r\nHost: {authority}\r\n{lines}\r\n".encode("latin-1")


class InvalidResponseError(HTTPException):
    """The server sent something that is not an HTTP/1 response."""


class Response(HTTPResponse):
    """One response. The values of headers with the same name are joined by commas, as HTTP specifies. Lines that are
    not headers are ignored."""

    headers: HTTPHeaderDict  # type: ignore[assignment]

    def __init__(self, sock: socket.socket, method: str) -> None:
        super().__init__(sock, method=method)
        self.release: Callable[[bool], None] = _do_nothing
        """Called when the response is finished, with whether its connection can be used again."""
        self._is_head = method == "HEAD"
        self._head_bytes = 0

    def begin(self) -> None:
        """Read everything before the body. Raises HTTPException or OSError."""
        status = 100
        while 100 <= status < 200 and status != SWITCHING_PROTOCOLS:
            is_old, status = self._status_line()
            self.headers = self._read_headers()
        self.status, self.version, self.reason = status, 10 if is_old else 11, ""
        has_body = not self._is_head and status not in _WITHOUT_BODY
        self.chunked = has_body and self._is_chunked()
        self.chunk_left = None
        self.length = self._body_length() if has_body and not self.chunked else None if has_body else 0
        options = self.headers.get("Connection", "").lower()
        is_kept = "keep-alive" in options if is_old else "close" not in options
        self.will_close = not is_kept or (self.length is None and not self.chunked)

    def read_piece(self, size: int) -> bytes:
        """Return the bytes of the body that have arrived, at most `size`; b"" at its end. Raises HTTPException or
        OSError, also if the body is shorter than the response specified."""
        if self.length == 0:
            return b""
        piece = self.read1(size)
        if not piece and self.length:
            raise IncompleteRead(b"", self.length)
        return piece

    def finish(self) -> None:
        """Close the response. If its body was not read to the end, the connection is closed too."""
        is_complete = self.isclosed() or self.length == 0
        self.close()
        # Only once, because another request may use the connection afterwards.
        release, self.release = self.release, _do_nothing
        release(is_complete and not self.will_close)

    def _is_chunked(self) -> bool:
        codings = set(_parts(self.headers.get("Transfer-Encoding", "").lower())) - {"identity"}
        if codings - {"chunked"}:
            raise InvalidResponseError("an unsupported Transfer-Encoding")
        return bool(codings)

    def _body_length(self) -> int | None:
        """Return the length in bytes, or None if the body ends with the connection."""
        lengths = _parts(self.headers.get("Content-Length", ""))
        if not all(map(_LENGTH.fullmatch, lengths)) or len(set(map(int, lengths))) > 1:
            raise InvalidResponseError("an invalid Content-Length")
        return int(lengths[0]) if lengths else None

    def _status_line(self) -> tuple[bool, int]:
        """Return whether the response is HTTP/1.0, and its status."""
        line = self._read_line()
        if not line:
            raise RemoteDisconnected("the connection was closed without a response")
        match = _STATUS_LINE.fullmatch(line)
        if match is None:
            raise InvalidResponseError("no status line")
        return match[1] == b"0", int(match[2])

    def _read_headers(self) -> HTTPHeaderDict:
        headers = HTTPHeaderDict()
        name, value = b"", b""
        for _ in range(MAX_LINES + 1):
            line = self._read_line()
            if not line:
                raise IncompleteRead(b"")
            if name and (match := _CONTINUATION.fullmatch(line)):
                value = (value + b" " + match[1].strip(b" \t")).strip()
                continue
            if name:
                headers.add(name.decode("latin-1"), value.decode("latin-1"))
            if line in (b"\r\n", b"\n"):
                return headers
            match = _HEADER.fullmatch(line)
            name, value = (match[1], match[2].strip(b" \t")) if match else (b"", b"")
        raise InvalidResponseError(f"more than {MAX_LINES} headers")

    def _read_line(self) -> bytes:
        line = self.fp.readline(MAX_HEAD_BYTES + 1)
        self._head_bytes += len(line)
        if self._head_bytes > MAX_HEAD_BYTES:
            raise InvalidResponseError(f"headers of more than {MAX_HEAD_BYTES} bytes")
        return line


def _do_nothing(_: bool) -> None:
    pass


def _parts(value: str) -> list[str]:
    return [part for part in map(str.strip, value.split(",")) if part]
