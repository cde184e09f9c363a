"""Detects when an HTTP/1.1 request is complete, from its framing (RFC 9112 section 6); gunicorn parses it later."""

from __future__ import annotations

import re
from typing import Final

MAX_HEAD: Final = 64 * 1024
"""The maximum size in bytes of a request's line and headers; the API server sends less than one KiB."""

MAX_BODY: Final = 4 * 1024 * 1024
"""The maximum size in bytes of a body, above the 3 MiB of the largest request of an API server. A request that
announces or has more is passed on incomplete, so that it is rejected."""

MAX_LINE: Final = 4 * 1024
"""The maximum length in bytes of a line between chunks or in the trailer."""

_LENGTH = re.compile(rb"\ncontent-length[ \t]*:[ \t]*(\d{1,18})[ \t]*\r", re.IGNORECASE)
_CHUNKED = re.compile(rb"\ntransfer-encoding[ \t]*:", re.IGNORECASE)
_EXPECTS = re.compile(rb"\nexpect[ \t]*:[ \t]*100-continue[ \t]*\r", re.IGNORECASE)


class Framing:
    """Follows one request in a growing buffer. It examines each byte once.

    ``is_truncated``: the request is malformed or too large, so later bytes on the connection can still belong to it.
    ``expects_continue``: the client waits for 100 Continue before the body (RFC 9110 section 10.1.1).
    """

    __slots__ = ("_position", "_chunked", "_in_trailer", "_searched", "_size", "expects_continue", "is_truncated")

    def __init__(self) -> None:
        self._position = 0
        self._searched = 0
        self._size: int | None = None
        self._chunked = False
        self._in_trailer = False
        self.is_truncated = False
        self.expects_continue = False

    def size(self, buffer: bytearray) -> int | None:
        """Return the size in bytes of the request at the start of the buffer; None while it is incomplete."""
        if self._size is None and not self._chunked and not self._find_head(buffer):
            return None
        if self._chunked and self._size is None and not self._read_chunks(buffer):
            return None
        assert self._size is not None
        return self._size if len(buffer) >= self._size else None

    def _find_head(self, buffer: bytearray) -> bool:
        end = buffer.find(b"\r\n\r\n", max(0, self._position - 3))
        self._position = len(buffer)
        if end < 0:
            return len(buffer) > MAX_HEAD and self._truncate(buffer)
        head, body = bytes(buffer[: end + 2]), end + 4
        self._position = body
        if _CHUNKED.search(head):
            self._chunked = True
        else:
            length = _LENGTH.search(head)
            self._size = body + (int(length[1]) if length else 0)
            if self._size - body > MAX_BODY:
                return self._truncate(buffer)
        self.expects_continue = _EXPECTS.search(head) is not None
        return True

    def _read_chunks(self, buffer: bytearray) -> bool:
        """Advance over the chunks and the trailer. Return whether the size of the request is known."""
        while True:
            end = buffer.find(b"\r\n", max(self._position, self._searched - 1))
            if end < 0:
                self._searched = len(buffer)
                is_too_long = len(buffer) - self._position > MAX_LINE or len(buffer) > MAX_BODY + MAX_HEAD
                return is_too_long and self._truncate(buffer)
            if self._in_trailer:
                is_last = end == self._position
                self._position = end + 2
                if is_last:
                    self._size = self._position
                    return True
                continue
            try:
                length = int(bytes(buffer[self._position : end]).partition(b";")[0], 16)
            except ValueError:
                return self._truncate(buffer)
            if length < 0 or self._position + length > MAX_BODY + MAX_HEAD:
                return self._truncate(buffer)
            if length == 0:
                self._in_trailer = True
                self._position = end + 2
            elif len(buffer) < end + 4 + length:
                return False
            else:
                self._position = end + 4 + length

    def _truncate(self, buffer: bytearray) -> bool:
        self._size, self.is_truncated = len(buffer), True
        return True
