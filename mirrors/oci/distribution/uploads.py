"""Uploads of blobs to one registry: sessions, each with one PUT, and mounts from the registry's other repositories."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import quote, urlencode

from mirrors.oci.common.access import RegistryAccess
from mirrors.oci.common.calls import Call
from mirrors.oci.common.engine_settings import MIB
from mirrors.oci.common.errors import CopyCancelledError, RegistryError
from mirrors.oci.common.request_urls import Url
from mirrors.oci.distribution.authenticator import pull_scope, push_scope
from mirrors.oci.distribution.endpoint import RegistryEndpoint
from mirrors.oci.distribution.sender import HttpContext, Sender
from mirrors.oci.http.transport import Hop, HttpRequest, Reply

COMMIT_BYTES_PER_SECOND = 10 * MIB
"""The rate, in bytes per second, at which a registry is expected to verify a whole blob before it responds."""

ABANDON_TIMEOUT_SECONDS = 5.0
"""The time limit for cancelling an upload, in seconds. If that fails, the registry removes the upload automatically."""


@dataclass(frozen=True, slots=True)
class Upload:
    """An open upload session: its Location, which is secret, and the hop whose reply contained it."""

    location: Url = field(repr=False)
    hop: Hop = field(repr=False)


class BlobBody(Protocol):
    """The bytes of a blob, iterated once. `is_complete` is whether all of them were yielded."""

    is_complete: bool

    def __iter__(self) -> Iterator[bytes]: ...


class BlobUploads:
    """The uploads of a `RegistryClient`, which raise the same errors. `has_blob` returns whether a repository has a
    blob with a digest and a size in bytes."""

    def __init__(
        self,
        http: HttpContext,
        access: RegistryAccess,
        endpoint: RegistryEndpoint,
        sender: Sender,
        has_blob: Callable[[str, str, int], bool],
    ) -> None:
        self._http = http
        self._access = access
        self._endpoint = endpoint
        self._sender = sender
        self._has_blob = has_blob

    def start(self, repository: str) -> Upload:
        request = HttpRequest("POST", self._endpoint.url(repository, "blobs/uploads/"))
        reply = self._sender.send(request, (push_scope(repository),))
        self._endpoint.expect(reply, {202}, f"starting an upload to {self._endpoint.name(repository)}")
        return self._session(reply)

    def mount(self, repository: str, digest: str, source: str) -> Upload | None:
        """Mount the blob from a repository of this registry. Return None on success, else the session that the registry
        opened instead. Raises RegistryError if the mount is refused or fails; it is not tried again."""
        query = urlencode({"mount": digest, "from": source}, quote_via=quote)
        request = HttpRequest("POST", self._endpoint.url(repository, f"blobs/uploads/?{query}"))
        # Permission to push includes permission to pull.
        scopes = (push_scope(repository),) if source == repository else (push_scope(repository), pull_scope(source))
        reply = self._sender.send(request, scopes, tries=1)
        self._endpoint.expect(reply, {201, 202}, f"mounting blob {digest} into {self._endpoint.name(repository)}")
        if reply.status == 201:
            self._endpoint.check_stored(reply, digest, f"blob {digest}")
        return None if reply.status == 201 else self._session(reply)

    def put(self, repository: str, upload: Upload, digest: str, size: int, body: BlobBody | bytes) -> None:
        """Upload the whole blob with one PUT, which is sent once because a stream cannot be replayed. Takes no slot,
        because the caller holds one."""
        url = upload.location.with_query(urlencode({"digest": digest}, quote_via=quote))
        # Streams have a separate time limit for each chunk.
        rate = self._http.settings.slow_bytes_per_second if isinstance(body, bytes) else COMMIT_BYTES_PER_SECOND
        request = HttpRequest(
            "PUT",
            url,
            headers={"Content-Type": "application/octet-stream", "Content-Length": str(size)},
            body=body,
            previous_hop=upload.hop,
            reply_timeout=self._sender.stall_timeout + size / rate,
        )
        reply = self._sender.send_once(request, (push_scope(repository),))
        self._endpoint.expect(
            reply, {200, 201, 202, 204}, f"uploading blob {digest} to {self._endpoint.name(repository)}"
        )
        if not isinstance(body, bytes) and not body.is_complete:
            raise RegistryError(
                "unavailable",
                f"{self._access.host} responded with {reply.status} before it had received all of blob {digest}: the "
                "blob was not stored",
                host=self._access.host,
            )
        self._endpoint.check_stored(reply, digest, f"blob {digest}")
        if reply.status == 202 and not self._has_blob(repository, digest, size):
            message = f"{self._access.host} accepted blob {digest} but has not stored it"
            raise RegistryError("unavailable", message, host=self._access.host)

    def abandon(self, repository: str, upload: Upload) -> None:
        """Cancel an upload. Best effort: an upload that is not cancelled stays on the registry's disk for days.
        (Distribution 2.8 only removes uploads without any bytes; it purges the others later.)"""
        request = HttpRequest("DELETE", upload.location, previous_hop=upload.hop)
        with suppress(RegistryError, CopyCancelledError):
            Sender(self._http, self._access, Call(timeout=ABANDON_TIMEOUT_SECONDS)).send_once(
                request, (push_scope(repository),)
            )

    def _session(self, reply: Reply) -> Upload:
        location = reply.headers.get("Location")
        if not location:
            raise RegistryError(
                "invalid", f"{self._access.host} opened an upload without a Location", host=self._access.host
            )
        return Upload(reply.hop.url.follow(location, sent_by=self._access.host), reply.hop)
