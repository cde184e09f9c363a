"""Streamed bodies: replies are read piece by piece, uploads are sent chunk by chunk. Each side has its own deadline."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from http.client import HTTPException

from mirrors.oci.common.engine_settings import KIB
from mirrors.oci.common.errors import MAX_ERROR_BYTES, RegistryError
from mirrors.oci.http.http_messages import Response
from mirrors.oci.http.network_errors import stall_error, translate
from mirrors.oci.http.watchdog import Watch


class BodyStream:
    """The undecoded body of a reply, read piece by piece. Each read must finish within the stall timeout."""

    def __init__(self, response: Response, host: str, watch: Watch | None = None, stall: float = 0.0) -> None:
        self._response = response
        self._host = host
        self._watch = watch
        self._stall = stall

    def read(self, size: int) -> bytes:
        """Return the bytes that have arrived, at most `size`; b"" at the end. Raises RegistryError if it breaks off or
        stalls."""
        if self._watch is not None:
            self._watch.extend(self._stall)
        try:
            piece = self._response.read_piece(size)
        except (HTTPException, OSError, ValueError) as error:
            if self._watch is not None and self._watch.expired:
                raise stall_error(self._host) from None
            raise translate(error, self._host) from None
        finally:
            if self._watch is not None:
                self._watch.clear_deadline()
        # A body that the watchdog cut off looks like one that has ended.
        if not piece and self._watch is not None and self._watch.expired:
            raise stall_error(self._host)
        return piece

    def close(self) -> None:
        """End the exchange. If the body was not read to its end, its connection is closed too."""
        if self._watch is not None:
            # The watch ends first, because another request may use the connection as soon as it is free.
            self._watch.end()
        self._response.finish()


class UploadBody:
    """A request body that is sent in chunks. The registry has `chunk_seconds` to accept each chunk, and `reply_seconds`
    after the last one to respond. The time that this process waits for the chunks does not count."""

    def __init__(self, chunks: Iterable[bytes], watch: Watch, chunk_seconds: float, reply_seconds: float) -> None:
        self._chunks = chunks
        self._watch = watch
        self._chunk_seconds = chunk_seconds
        self._reply_seconds = reply_seconds
        self._pending = 0

    def __iter__(self) -> Iterator[bytes]:
        self._watch.clear_deadline()
        for chunk in self._chunks:
            self._pending = len(chunk)
            self._watch.extend(self._chunk_seconds)
            yield chunk
            self._watch.clear_deadline()
        self._pending = 0
        self._watch.extend(self._reply_seconds)

    def too_slow(self, host: str) -> RegistryError:
        """Return the error for a registry that exceeded its time limit."""
        if not self._pending:
            return stall_error(host)
        rate = self._pending / self._chunk_seconds
        message = (
            f"{host} accepted less than {rate:,.0f} bytes per second for {self._chunk_seconds:.0f} s; the copy was "
            "stopped"
        )
        return RegistryError("timeout", message, host=host)


def read_whole(stream: BodyStream, limit: int | None, host: str) -> bytes:
    """Read the body and close the stream. Raises RegistryError `too-large` beyond `limit` bytes. Without a limit, the
    body is that of an error, and what exceeds MAX_ERROR_BYTES is not read."""
    pieces: list[bytes] = []
    size = 0
    try:
        while piece := stream.read(64 * KIB):
            size += len(piece)
            pieces.append(piece)
            if limit is None and size >= MAX_ERROR_BYTES:
                break
            if limit is not None and size > limit:
                raise RegistryError("too-large", f"{host} sent more than the limit of {limit} bytes", host=host)
    finally:
        stream.close()
    return b"".join(pieces)
