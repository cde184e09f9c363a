"""Downloads one blob from the source. Resumes after the bytes break off, and withholds the end until all are
verified."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator
from typing import Literal

from mirrors.oci.common.descriptors import Descriptor
from mirrors.oci.common.engine_settings import EngineSettings
from mirrors.oci.common.errors import RegistryError
from mirrors.oci.distribution.headers import content_range, is_length_of
from mirrors.oci.distribution.registry_client import RegistryClient
from mirrors.oci.http.streams import BodyStream
from mirrors.oci.http.transport import Reply


class SourceError(Exception):
    """Wraps a failure of the source during the target's PUT, so that it is not mistaken for a failure of the target."""

    def __init__(self, error: RegistryError) -> None:
        super().__init__(str(error))
        self.error = error


class Download:
    """Iterates over the blob's chunks once. The last chunk is withheld until all bytes match the digest, because the
    target does not store a body that ends early. Raises SourceError, and CopyCancelledError between any two chunks."""

    def __init__(
        self,
        client: RegistryClient,
        repository: str,
        blob: Descriptor,
        settings: EngineSettings,
        *,
        on_bytes: Callable[[int], None],
    ) -> None:
        self._client = client
        self._repository = repository
        self._blob = blob
        self._settings = settings
        self._on_bytes = on_bytes
        self._host = client.access.host
        self._hash = hashlib.new(blob.digest.partition(":")[0])
        self._stream: BodyStream | None = None
        self._first_chunk = b""
        self._read = 0
        self._connected_at = 0
        self._failures = 0
        self._window_bytes = 0
        self._window_seconds = 0.0
        self.size = blob.size or 0
        self.sent = 0
        self.is_complete = False

    def open(self) -> None:
        """Read the first bytes, so that no PUT starts for a blob that cannot be read. Raises SourceError."""
        self._first_chunk = self._next_chunk()

    def __iter__(self) -> Iterator[bytes]:
        withheld = self._first_chunk
        while self._read < self.size:
            chunk = self._next_chunk()
            yield self._count_sent(withheld)
            withheld = chunk
        actual = f"{self._hash.name}:{self._hash.hexdigest()}"
        if actual != self._blob.digest:
            raise SourceError(self._error("bad-digest", "does not match its digest; the source is damaged"))
        last = self._count_sent(withheld)
        self.is_complete = True
        yield last

    def close(self) -> None:
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def _count_sent(self, chunk: bytes) -> bytes:
        self._client.call.check(self._host)
        self.sent += len(chunk)
        self._on_bytes(len(chunk))
        return chunk

    def _next_chunk(self) -> bytes:
        """Return the next chunk, b"" at the end of the blob. If the body breaks off, the rest is requested: immediately
        if enough bytes have arrived since the last failure, else after the backoff."""
        while self._read < self.size:
            try:
                if self._stream is None:
                    self._stream = self._connect()
                    self._connected_at = self._read
                return self._read_chunk(self._stream)
            except RegistryError as error:
                # A request without a response has already been retried.
                is_final = error.permanent or error.retry_after is not None or self._stream is None
                self.close()
                error.host = self._host
                progressed = self._read - self._connected_at >= self._settings.resume_progress_bytes
                self._failures = 0 if progressed else self._failures + 1
                if is_final or self._failures > self._settings.retries:
                    raise SourceError(error) from None
                self._back_off()
        return b""

    def _read_chunk(self, stream: BodyStream) -> bytes:
        started = time.monotonic()
        chunk = stream.read(min(self._settings.chunk_bytes, self.size - self._read))
        if not chunk:
            raise self._error("unavailable", "was interrupted during the download")
        self._check_rate(len(chunk), time.monotonic() - started)
        self._hash.update(chunk)
        self._read += len(chunk)
        return chunk

    def _check_rate(self, count: int, seconds: float) -> None:
        """Raise SourceError if the source is too slow. Only the time spent on reading counts, because a slow target is
        not the source's fault."""
        self._window_bytes += count
        self._window_seconds += seconds
        if self._window_seconds < self._settings.slow_seconds:
            return
        rate = self._window_bytes / self._window_seconds
        if rate < self._settings.slow_bytes_per_second:
            message = (
                f"was received at {rate:,.0f} bytes per second for {self._window_seconds:.0f} s; the copy was stopped"
            )
            raise SourceError(self._error("timeout", message))
        self._window_bytes, self._window_seconds = 0, 0.0

    def _connect(self) -> BodyStream:
        reply = self._client.open_blob(self._repository, self._blob.digest, self._read)
        assert reply.stream is not None
        if not self._is_usable(reply):
            reply.stream.close()
            if self._read:
                raise SourceError(self._error("unavailable", "could not be resumed"))
            raise self._error("bad-digest", f"does not have the size of {self.size} bytes that the manifest specifies")
        return reply.stream

    def _is_usable(self, reply: Reply) -> bool:
        """Return whether the reply is usable: from the start, a 200 with the descriptor's length; resumed, a 206 with
        the requested range."""
        if not self._read:
            return reply.status == 200 and is_length_of(reply.headers, self.size)
        received = content_range(reply.headers)
        return (
            reply.status == 206
            and received is not None
            and received[0] == self._read
            and received[1] in (None, self.size)
        )

    def _back_off(self) -> None:
        if self._failures:
            self._client.call.sleep(self._settings.backoff(self._failures - 1), self._host)

    def _error(self, code: Literal["unavailable", "bad-digest", "timeout"], what: str) -> RegistryError:
        return RegistryError(
            code, f"blob {self._blob.digest} of {self._host}/{self._repository} {what}", host=self._host
        )
