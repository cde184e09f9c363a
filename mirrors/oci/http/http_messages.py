"""The heads of HTTP/1.1 messages: of a request as bytes, of a response as status and headers. `http.client` reads
headers with the parser of e-mail, which took a tenth of the CPU of small copies; it still reads the bodies."""

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
"""Of all that comes before a body, interim responses included; registries send about a KiB."""

MAX_LINES: Final = 100
"""Headers of one response; registries send about ten. A header over several lines counts as several."""

_STATUS_LINE: Final = re.compile(rb"HTTP/1\.([0-9]) +([1-9][0-9]{2})(?:[ \t][^\r\n]*)?\r?\n")
# No part of these may take over what the part beside it takes: the time would grow with the square of the line.
_HEADER: Final = re.compile(rb"([^\x00-\x20\x7f:]+):([^\x00\r\n]*)\r?\n")
_CONTINUATION: Final = re.compile(rb"[ \t]([^\x00\r\n]*)\r?\n")
_WITHOUT_BODY: Final = frozenset({SWITCHING_PROTOCOLS, NO_CONTENT, NOT_MODIFIED})
_LENGTH: Final = re.compile(r"[0-9]{1,18}")
_NOT_IN_TARGET: Final = re.compile(r"[\x00-\x20\x7f]")
_NOT_IN_HEADER: Final = re.compile(r"[\x00\r\n]")


def request_head(method: str, target: str, authority: str, headers: Mapping[str, str]) -> bytes:
    """Raises ValueError for a character that would end its line. A URL of a registry came as Latin-1 in a header, and
    goes back as the same bytes."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    if _NOT_IN_TARGET.search(target) or any(map(_NOT_IN_HEADER.search, headers.values())):
        raise ValueError("a character that a request may not have here")
    return f"{method} {target} HTTP/1.1\r\nHost: {authority}\r\n{lines}\r\n".encode("latin-1")


class InvalidResponseError(HTTPException):
    """Not an HTTP/1 response."""


class Response(HTTPResponse):
    """One response. The values of headers with the same name are joined by commas, as HTTP has it; a line that is not a
    header is left out."""

    headers: HTTPHeaderDict  # type: ignore[assignment]

    def __init__(self, sock: socket.socket, method: str) -> None:
        super().__init__(sock, method=method)
        self.release: Callable[[bool], None] = _nothing
        """What becomes of the connection once the response is finished; it is given whether it may be used again."""
        self._is_head = method == "HEAD"
        self._head_bytes = 0

    def begin(self) -> None:
        """Reads all that is before the body. Raises HTTPException or OSError."""
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
        """What has arrived of the body, at most `size` bytes; b"" at its end. Raises HTTPException or OSError, also
        when the body is shorter than was said."""
        if self.length == 0:
            return b""
        piece = self.read1(size)
        if not piece and self.length:
            raise IncompleteRead(b"", self.length)
        return piece

    def finish(self) -> None:
        """Close it. A body that was not read to its end takes its connection with it."""
        is_complete = self.isclosed() or self.length == 0
        self.close()
        # Once: by now another request may use the connection.
        release, self.release = self.release, _nothing
        release(is_complete and not self.will_close)

    def _is_chunked(self) -> bool:
        codings = set(_parts(self.headers.get("Transfer-Encoding", "").lower())) - {"identity"}
        if codings - {"chunked"}:
            raise InvalidResponseError("an unsupported Transfer-Encoding")
        return bool(codings)

    def _body_length(self) -> int | None:
        """In bytes; None where the body ends with the connection."""
        said = _parts(self.headers.get("Content-Length", ""))
        if not all(map(_LENGTH.fullmatch, said)) or len(set(map(int, said))) > 1:
            raise InvalidResponseError("an invalid Content-Length")
        return int(said[0]) if said else None

    def _status_line(self) -> tuple[bool, int]:
        """Whether it is HTTP/1.0, and the status."""
        line = self._read_line()
        if not line:
            raise RemoteDisconnected("the connection was closed without a response")
        found = _STATUS_LINE.fullmatch(line)
        if found is None:
            raise InvalidResponseError("no status line")
        return found[1] == b"0", int(found[2])

    def _read_headers(self) -> HTTPHeaderDict:
        headers = HTTPHeaderDict()
        name, value = b"", b""
        for _ in range(MAX_LINES + 1):
            line = self._read_line()
            if not line:
                raise IncompleteRead(b"")
            if name and (found := _CONTINUATION.fullmatch(line)):
                value = (value + b" " + found[1].strip(b" \t")).strip()
                continue
            if name:
                headers.add(name.decode("latin-1"), value.decode("latin-1"))
            if line in (b"\r\n", b"\n"):
                return headers
            found = _HEADER.fullmatch(line)
            name, value = (found[1], found[2].strip(b" \t")) if found else (b"", b"")
        raise InvalidResponseError(f"more than {MAX_LINES} headers")

    def _read_line(self) -> bytes:
        line = self.fp.readline(MAX_HEAD_BYTES + 1)
        self._head_bytes += len(line)
        if self._head_bytes > MAX_HEAD_BYTES:
            raise InvalidResponseError(f"headers of more than {MAX_HEAD_BYTES} bytes")
        return line


def _nothing(_: bool) -> None:
    pass


def _parts(value: str) -> list[str]:
    return [part for part in map(str.strip, value.split(",")) if part]
