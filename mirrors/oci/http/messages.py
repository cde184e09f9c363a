"""The heads of HTTP/1.1 messages: of a request as bytes, of a response as status and headers. `http.client` reads
headers with the parser of e-mail, which took a tenth of the CPU of small copies; it still reads the bodies."""

from __future__ import annotations

import re
import socket
from collections.abc import Mapping
from http.client import HTTPException, HTTPResponse, IncompleteRead, RemoteDisconnected
from typing import Final

from urllib3 import HTTPHeaderDict

MAX_LINE_BYTES: Final = 64 * 1024
"""Of a status line or a header; `http.client` has the same limit."""

MAX_HEADERS: Final = 100
"""Of one response; registries send about ten. `http.client` has the same limit."""

MAX_INTERIM_RESPONSES: Final = 10
"""Responses like `100 Continue` before the final one; registries send none or one."""

_STATUS_LINE: Final = re.compile(rb"HTTP/1\.([0-9]) ([1-9][0-9]{2})(?:[ \t][^\r\n]*)?\r?\n")
_HEADER: Final = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*([^\x00\r\n]*?)[ \t]*\r?\n")
_CONTINUATION: Final = re.compile(rb"[ \t]+([^\x00\r\n]*?)[ \t]*\r?\n")
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
    """One response. The values of headers with the same name are joined by commas, as HTTP has it."""

    headers: HTTPHeaderDict  # type: ignore[assignment]

    def __init__(self, sock: socket.socket, method: str) -> None:
        super().__init__(sock, method=method)
        self._has_no_body = method == "HEAD"

    def begin(self) -> None:
        """Reads all that is before the body. Raises HTTPException or OSError."""
        for _ in range(MAX_INTERIM_RESPONSES):
            is_old, status = self._status_line()
            self.headers = self._read_headers()
            if not 100 <= status < 200:
                break
        else:
            raise InvalidResponseError("too many interim responses")
        self.status, self.version, self.reason = status, 10 if is_old else 11, ""
        self.chunked = self._is_chunked()
        self.chunk_left = None
        self.length = self._body_length()
        options = self.headers.get("Connection", "").lower()
        is_kept = "keep-alive" in options if is_old else "close" not in options
        self.will_close = not is_kept or (self.length is None and not self.chunked)

    def _is_chunked(self) -> bool:
        coding = self.headers.get("Transfer-Encoding", "chunked").lower()
        if coding != "chunked":
            raise InvalidResponseError("an unsupported Transfer-Encoding")
        return "Transfer-Encoding" in self.headers

    def _body_length(self) -> int | None:
        """In bytes; None where the body ends with its chunks or with the connection."""
        if self.status in (204, 304) or self._has_no_body:
            return 0
        said = self.headers.get("Content-Length")
        if said is None or self.chunked:
            return None
        # The same length twice is one.
        length, *others = {part.strip() for part in said.split(",")}
        if others or not _LENGTH.fullmatch(length):
            raise InvalidResponseError("an invalid Content-Length")
        return int(length)

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
        pairs: list[tuple[bytes, bytes]] = []
        for _ in range(MAX_HEADERS + 1):
            line = self._read_line()
            if line in (b"\r\n", b"\n"):
                for name, value in pairs:
                    headers.add(name.decode("ascii"), value.decode("latin-1"))
                return headers
            if found := _HEADER.fullmatch(line):
                pairs.append((found[1], found[2]))
            elif pairs and (found := _CONTINUATION.fullmatch(line)):
                name, value = pairs.pop()
                pairs.append((name, value + b" " + found[1]))
            elif not line:
                raise IncompleteRead(b"")
            else:
                raise InvalidResponseError("an invalid header line")
        raise InvalidResponseError(f"more than {MAX_HEADERS} headers")

    def _read_line(self) -> bytes:
        line = self.fp.readline(MAX_LINE_BYTES + 1)
        if len(line) > MAX_LINE_BYTES:
            raise InvalidResponseError(f"a line of more than {MAX_LINE_BYTES} bytes")
        return line
