"""The requests of the OCI distribution API (1.1) that a copy needs, with authentication and retries built in."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from itertools import count

from mirrors.oci.common import descriptors, manifests
from mirrors.oci.common.access import RegistryAccess
from mirrors.oci.common.calls import Call
from mirrors.oci.common.descriptors import Descriptor
from mirrors.oci.common.engine_settings import MAX_MANIFEST_BYTES
from mirrors.oci.common.errors import (
    RETRYABLE_STATUSES,
    CopyCancelledError,
    RegistryError,
    content_not_seen,
    storage_refused,
)
from mirrors.oci.common.manifests import Manifest
from mirrors.oci.distribution.authenticator import pull_scope, push_scope
from mirrors.oci.distribution.endpoint import RegistryEndpoint
from mirrors.oci.distribution.headers import content_digest, is_length_of, number
from mirrors.oci.distribution.headers import media_type as content_type_of
from mirrors.oci.distribution.referrers_pages import ReferrersPage, has_no_api, page_of
from mirrors.oci.distribution.sender import HttpContext, Sender
from mirrors.oci.distribution.uploads import BlobUploads
from mirrors.oci.http.transport import HttpRequest, Reply

CONTENT_TRIES = 3
"""Times that a manifest is sent to a registry that does not see what it refers to. Distribution on a file system writes
the link to a blob again when the blob is mounted or uploaded by somebody else, and does not see it for that moment."""

STORAGE_TRIES = 3
"""Times that a registry is asked where its storage has a blob. An address that the storage refuses has expired, or one
of its servers does not have the blob yet."""

_REFUSED_BY_STORAGE = frozenset({400, 403, 404, 410})


@dataclass(frozen=True, slots=True)
class StoredManifest:
    """What a registry says of a manifest that it took: the `digest` by which it is known there, "" where it does not
    say, and whether it is listed with its subject, where it has one (distribution API 1.1)."""

    digest: str
    is_listed: bool


class RegistryClient:
    """One registry, as one call may use it. Every method raises RegistryError, or CopyCancelledError.

    A client of a target asks for tokens that allow pushes in all its requests: Quay creates a repository as soon as
    such a token is requested, and until then refuses to say what it has. One of a source never asks for them."""

    def __init__(self, wire: HttpContext, access: RegistryAccess, call: Call, *, is_target: bool = False) -> None:
        self.access = access
        self.call = call
        self._scope = push_scope if is_target else pull_scope
        self._wire = wire
        self._endpoint = RegistryEndpoint(wire.transport, access)
        self._sender = Sender(wire, access, call)
        self.uploads = BlobUploads(
            wire, access, self._endpoint, self._sender, has_blob=partial(self.has_blob, confirm=True)
        )

    def preconnect(self, wanted: int) -> None:
        """Opens one connection where fewer than `wanted` are open. Raises nothing: what fails here is left to the
        request that needs a connection."""
        with suppress(RegistryError, CopyCancelledError):
            self._wire.transport.preconnect(self.access, wanted, self.call)

    def head_manifest(
        self, repository: str, reference: str, media_type: str = "", *, confirm: bool = False
    ) -> Descriptor | None:
        """None when the registry says 404, or names another digest than the reference. A reply without a digest is
        settled by a GET; with `confirm`, so is one that denies the manifest: some registries refuse a HEAD of what
        they show to a GET."""
        reply = self._sender.send(
            self._manifest_request("HEAD", repository, reference, media_type), (self._scope(repository),)
        )
        if reply.status != 200 and confirm and _is_denial(reply.status):
            return self.read_descriptor(repository, reference, media_type)
        if reply.status == 404:
            return None
        self._endpoint.expect(reply, {200}, f"looking for {self._endpoint.name(repository, reference)}")
        digest = content_digest(reply.headers)
        if not descriptors.is_digest(digest):
            return self.read_descriptor(repository, reference, media_type)
        if descriptors.contradicts(digest, reference):
            return None
        return Descriptor(digest, content_type_of(reply.headers), number(reply.headers.get("Content-Length")))

    def get_manifest(
        self, repository: str, reference: str, media_type: str = "", *, max_bytes: int = MAX_MANIFEST_BYTES
    ) -> Manifest:
        """By digest: the bytes are checked against it. By tag: the digest is computed from the bytes."""
        reply = self._get(repository, reference, media_type, max_bytes)
        self._endpoint.expect(reply, {200}, f"reading {self._endpoint.name(repository, reference)}")
        digest = reference if descriptors.is_digest(reference) else None
        return manifests.parse(reply.body, content_type_of(reply.headers), host=self.access.host, digest=digest)

    def get_bytes(self, repository: str, tag: str) -> bytes:
        """What is under a tag, as it came. It may be no manifest."""
        reply = self._get(repository, tag, "")
        self._endpoint.expect(reply, {200}, f"reading {self._endpoint.name(repository, tag)}")
        return reply.body

    def read_descriptor(self, repository: str, reference: str, media_type: str = "") -> Descriptor | None:
        """A GET in place of a HEAD: its bytes are hashed and not read. None when the registry says 404, or sends other
        bytes than those of the digest."""
        reply = self._get(repository, reference, media_type)
        if reply.status == 404:
            return None
        name = self._endpoint.name(repository, reference)
        self._endpoint.expect(reply, {200}, f"looking for {name}")
        if not reply.body.lstrip().startswith(b"{"):
            raise RegistryError("invalid", f"{self.access.host} sent no manifest for {name}", host=self.access.host)
        algorithm = reference.partition(":")[0] if descriptors.is_digest(reference) else "sha256"
        digest = descriptors.digest_of(reply.body, algorithm)
        if descriptors.contradicts(digest, reference):
            return None
        return Descriptor(digest, content_type_of(reply.headers), len(reply.body))

    def _get(self, repository: str, reference: str, media_type: str, max_bytes: int = MAX_MANIFEST_BYTES) -> Reply:
        request = replace(self._manifest_request("GET", repository, reference, media_type), limit=max_bytes)
        return self._sender.send(request, (self._scope(repository),))

    def get_referrers(self, repository: str, digest: str, before: ReferrersPage | None = None) -> ReferrersPage | None:
        """What refers to a manifest, a page at a time: the first, or the one that follows `before`, at the registry or
        where it redirects to. None where it has no referrers API; any other error does not mean that there are none."""
        first = self._endpoint.url(repository, f"referrers/{digest}")
        url, came_from = (before.following or first, before.hop) if before else (first, None)
        accept = {"Accept": manifests.OCI_INDEX}
        request = HttpRequest("GET", url, headers=accept, limit=MAX_MANIFEST_BYTES, came_from=came_from)
        reply = self._sender.send(request, (self._scope(repository),))
        if before is None and has_no_api(reply):
            return None
        self._endpoint.expect(reply, {200}, f"listing what refers to {self._endpoint.name(repository, digest)}")
        return page_of(reply, url, host=self.access.host)

    def put_manifest(
        self, repository: str, reference: str, manifest: Manifest, *, before: Callable[[], None] | None = None
    ) -> StoredManifest:
        """What it refers to was there a moment ago: a registry that does not see it is asked again. `before` is called
        right before each try."""
        request = HttpRequest(
            "PUT",
            self._endpoint.url(repository, f"manifests/{reference}"),
            headers={"Content-Type": manifest.media_type},
            body=manifest.raw,
            before=before,
        )
        reply = self._send_manifest(request, repository, f"writing {self._endpoint.name(repository, reference)}")
        digest = self._endpoint.check_stored(reply, manifest.digest, self._endpoint.name(repository, reference))
        is_listed = bool(manifest.subject) and reply.headers.get("OCI-Subject", "").strip() == manifest.subject
        return StoredManifest(digest, is_listed)

    def _send_manifest(self, request: HttpRequest, repository: str, action: str) -> Reply:
        for attempt in count():
            reply = self._sender.send(request, (push_scope(repository),))
            not_seen = content_not_seen(reply.status, reply.body, host=self.access.host, action=action)
            if not_seen is None:
                break
            if attempt == CONTENT_TRIES - 1:
                raise not_seen
            self.call.sleep(self._wire.settings.backoff(attempt), self.access.host)
        self._endpoint.expect(reply, {200, 201, 202}, action)
        return reply

    def has_blob(self, repository: str, digest: str, size: int | None = None, *, confirm: bool = False) -> bool:
        """False where looking is forbidden, too: uploading is then what finds out. With `confirm`, a GET settles what a
        HEAD denies. It settles any HEAD that has another length than `size` bytes: some servers say 0, and storage that
        failed in the middle of a write keeps the part of a blob."""
        reply = self._sender.send(
            HttpRequest("HEAD", self._endpoint.url(repository, f"blobs/{digest}")), (self._scope(repository),)
        )
        if _is_denial(reply.status):
            return confirm and self._can_read(repository, digest, size)
        self._endpoint.expect(reply, {200}, f"looking for blob {digest} in {self._endpoint.name(repository)}")
        return is_length_of(reply.headers, size) or self._can_read(repository, digest, size)

    def _can_read(self, repository: str, digest: str, size: int | None) -> bool:
        """What the storage refuses cannot be read either: here nobody knows yet whether there is such a blob."""
        try:
            reply = self._get_blob(repository, digest, 0)
            self._endpoint.expect(reply, {200, 206}, self._reading(repository, digest))
        except RegistryError as error:
            if not error.permanent:
                raise
            return False
        if reply.stream is not None:
            reply.stream.close()
        return is_length_of(reply.headers, size)

    def open_blob(self, repository: str, digest: str, offset: int) -> Reply:
        """The blob from `offset` on, as a stream. Takes no slot of its own: the caller holds one. What the registry's
        storage refuses is asked for again, and is `unavailable`: only the registry itself says that it has no blob."""
        action = self._reading(repository, digest)
        home = self._endpoint.url(repository, "").origin
        for attempt in range(STORAGE_TRIES):
            reply = self._get_blob(repository, digest, offset)
            if reply.status not in _REFUSED_BY_STORAGE or reply.hop.url.origin == home:
                break
            if attempt == STORAGE_TRIES - 1:
                raise storage_refused(reply.status, host=self.access.host, action=action)
            self.call.sleep(self._wire.settings.backoff(attempt), self.access.host)
        self._endpoint.expect(reply, {200, 206}, action)
        return reply

    def _reading(self, repository: str, digest: str) -> str:
        return f"reading blob {digest} of {self._endpoint.name(repository)}"

    def _get_blob(self, repository: str, digest: str, offset: int) -> Reply:
        headers = {"Range": f"bytes={offset}-"} if offset else {}
        request = HttpRequest("GET", self._endpoint.url(repository, f"blobs/{digest}"), headers=headers, stream=True)
        return self._sender.send(request, (self._scope(repository),), gated=False)

    def _manifest_request(self, method: str, repository: str, reference: str, media_type: str) -> HttpRequest:
        accepted = dict.fromkeys([*manifests.ACCEPT, *([media_type] if media_type else [])])
        return HttpRequest(
            method, self._endpoint.url(repository, f"manifests/{reference}"), headers={"Accept": ", ".join(accepted)}
        )


def _is_denial(status: int) -> bool:
    """Whether a HEAD says no in a way that a GET may not: anything but a wish to wait."""
    return (400 <= status < 500 or status == 501) and status not in RETRYABLE_STATUSES
