"""The requests of the OCI distribution API (1.1) that a copy needs, including authentication and retries."""

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
"""Times that a manifest is sent to a registry that does not see its content. Distribution on a file system rewrites the
link to a blob while another client mounts or uploads the blob, and does not see the blob at that moment."""

STORAGE_TRIES = 3
"""Times that a registry is asked for the storage URL of a blob. If the storage refuses a URL, the URL has expired, or
one of the storage's servers does not have the blob yet."""

_REFUSED_BY_STORAGE = frozenset({400, 403, 404, 410})


@dataclass(frozen=True, slots=True)
class StoredManifest:
    """How a registry stored a manifest: the `digest` by which it is known there, "" if the registry reports none, and
    whether it is listed as a referrer of its subject, if it has one (distribution API 1.1)."""

    digest: str
    is_listed: bool


class RegistryClient:
    """Sends requests to one registry for one call. Every method raises RegistryError, or CopyCancelledError.

    A client of a target requests tokens that allow pushes for all its requests: Quay creates a repository as soon as
    such a token is requested, and until then refuses to show its content. A client of a source requests none of
    them."""

    def __init__(self, http: HttpContext, access: RegistryAccess, call: Call, *, is_target: bool = False) -> None:
        self.access = access
        self.call = call
        self._scope = push_scope if is_target else pull_scope
        self._http = http
        self._endpoint = RegistryEndpoint(http.transport, access)
        self._sender = Sender(http, access, call)
        self.uploads = BlobUploads(
            http, access, self._endpoint, self._sender, has_blob=partial(self.has_blob, confirm=True)
        )

    def preconnect(self, min_open: int) -> None:
        """Open one connection if fewer than `min_open` are open. Raises nothing: the request that needs it reports the
        error."""
        with suppress(RegistryError, CopyCancelledError):
            self._http.transport.preconnect(self.access, min_open, self.call)

    def head_manifest(
        self, repository: str, reference: str, media_type: str = "", *, confirm: bool = False
    ) -> Descriptor | None:
        """Return the descriptor of a manifest, None if the registry responds with 404 or with another digest than the
        reference's. If the response has no digest, a GET decides. With `confirm`, a GET also decides if the HEAD is
        denied, because some registries refuse a HEAD of a manifest that a GET returns."""
        reply = self._sender.send(
            self._manifest_request("HEAD", repository, reference, media_type), (self._scope(repository),)
        )
        if reply.status != 200 and confirm and _is_denial(reply.status):
            return self.read_descriptor(repository, reference, media_type)
        if reply.status == 404:
            return None
        self._endpoint.expect(reply, {200}, f"looking up {self._endpoint.name(repository, reference)}")
        digest = content_digest(reply.headers)
        if not descriptors.is_digest(digest):
            return self.read_descriptor(repository, reference, media_type)
        if descriptors.contradicts(digest, reference):
            return None
        return Descriptor(digest, content_type_of(reply.headers), number(reply.headers.get("Content-Length")))

    def get_manifest(
        self, repository: str, reference: str, media_type: str = "", *, max_bytes: int = MAX_MANIFEST_BYTES
    ) -> Manifest:
        """Return a manifest. If the reference is a digest, the bytes are checked against it; if it is a tag, the digest
        is computed from the bytes."""
        reply = self._get(repository, reference, media_type, max_bytes)
        self._endpoint.expect(reply, {200}, f"reading {self._endpoint.name(repository, reference)}")
        digest = reference if descriptors.is_digest(reference) else None
        return manifests.parse(reply.body, content_type_of(reply.headers), host=self.access.host, digest=digest)

    def get_bytes(self, repository: str, tag: str) -> bytes:
        """Return the bytes under a tag unparsed, because they may be no manifest."""
        reply = self._get(repository, tag, "")
        self._endpoint.expect(reply, {200}, f"reading {self._endpoint.name(repository, tag)}")
        return reply.body

    def read_descriptor(self, repository: str, reference: str, media_type: str = "") -> Descriptor | None:
        """Look up a manifest by a GET instead of a HEAD: the bytes are hashed, but not parsed. Return None if the
        registry responds with 404, or with bytes of another digest than the reference's."""
        reply = self._get(repository, reference, media_type)
        if reply.status == 404:
            return None
        name = self._endpoint.name(repository, reference)
        self._endpoint.expect(reply, {200}, f"looking up {name}")
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

    def get_referrers(
        self, repository: str, digest: str, previous: ReferrersPage | None = None
    ) -> ReferrersPage | None:
        """Return one page of the referrers of a manifest: the first, or the one that follows `previous`, at the
        registry or where it redirects to. None if the registry has no referrers API. Any other error is raised, because
        it does not mean that there are no referrers."""
        first = self._endpoint.url(repository, f"referrers/{digest}")
        url, previous_hop = (previous.next_url or first, previous.hop) if previous else (first, None)
        accept = {"Accept": manifests.OCI_INDEX}
        request = HttpRequest("GET", url, headers=accept, limit=MAX_MANIFEST_BYTES, previous_hop=previous_hop)
        reply = self._sender.send(request, (self._scope(repository),))
        if previous is None and has_no_api(reply):
            return None
        self._endpoint.expect(reply, {200}, f"listing referrers of {self._endpoint.name(repository, digest)}")
        return page_of(reply, url, host=self.access.host)

    def put_manifest(
        self, repository: str, reference: str, manifest: Manifest, *, before_send: Callable[[], None] | None = None
    ) -> StoredManifest:
        """Push a manifest. Its content was at the registry a moment ago, so a registry that does not see the content is
        sent the manifest again. `before_send` is called right before each try."""
        request = HttpRequest(
            "PUT",
            self._endpoint.url(repository, f"manifests/{reference}"),
            headers={"Content-Type": manifest.media_type},
            body=manifest.raw,
            before_send=before_send,
        )
        reply = self._send_manifest(request, repository, f"writing {self._endpoint.name(repository, reference)}")
        digest = self._endpoint.check_stored(reply, manifest.digest, self._endpoint.name(repository, reference))
        is_listed = bool(manifest.subject) and reply.headers.get("OCI-Subject", "").strip() == manifest.subject
        return StoredManifest(digest, is_listed)

    def _send_manifest(self, request: HttpRequest, repository: str, action: str) -> Reply:
        for attempt in count():
            reply = self._sender.send(request, (push_scope(repository),))
            error = content_not_seen(reply.status, reply.body, host=self.access.host, action=action)
            if error is None:
                break
            if attempt == CONTENT_TRIES - 1:
                raise error
            self.call.sleep(self._http.settings.backoff(attempt), self.access.host)
        self._endpoint.expect(reply, {200, 201, 202}, action)
        return reply

    def has_blob(self, repository: str, digest: str, size: int | None = None, *, confirm: bool = False) -> bool:
        """Return whether the repository has the blob. False also if the lookup is forbidden, because the upload will
        show it. With `confirm`, a GET decides if the HEAD is denied. A GET always decides if the HEAD reports another
        length than `size` bytes: some servers report 0, and storage that failed during a write keeps only a part."""
        reply = self._sender.send(
            HttpRequest("HEAD", self._endpoint.url(repository, f"blobs/{digest}")), (self._scope(repository),)
        )
        if _is_denial(reply.status):
            return confirm and self._can_read(repository, digest, size)
        self._endpoint.expect(reply, {200}, f"looking up blob {digest} in {self._endpoint.name(repository)}")
        return is_length_of(reply.headers, size) or self._can_read(repository, digest, size)

    def _can_read(self, repository: str, digest: str, size: int | None) -> bool:
        """Return whether a GET can read the blob. A refusal by the storage means no: unlike in `open_blob`, the
        registry is not known to have the blob."""
        try:
            reply = self._get_blob(repository, digest, 0)
            self._endpoint.expect(reply, {200, 206}, self._read_action(repository, digest))
        except RegistryError as error:
            if not error.permanent:
                raise
            return False
        if reply.stream is not None:
            reply.stream.close()
        return is_length_of(reply.headers, size)

    def open_blob(self, repository: str, digest: str, offset: int) -> Reply:
        """Return the blob from `offset` on as a stream. Takes no slot, because the caller holds one. If the registry's
        storage refuses the blob, the registry is asked again, and finally the error is `unavailable`: only a refusal by
        the registry itself means that it does not have the blob."""
        action = self._read_action(repository, digest)
        home = self._endpoint.url(repository, "").origin
        for attempt in range(STORAGE_TRIES):
            reply = self._get_blob(repository, digest, offset)
            if reply.status not in _REFUSED_BY_STORAGE or reply.hop.url.origin == home:
                break
            if attempt == STORAGE_TRIES - 1:
                raise storage_refused(reply.status, host=self.access.host, action=action)
            self.call.sleep(self._http.settings.backoff(attempt), self.access.host)
        self._endpoint.expect(reply, {200, 206}, action)
        return reply

    def _read_action(self, repository: str, digest: str) -> str:
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
    """Return whether the status of a HEAD is a denial that a GET may not get: a 4xx or 501 that does not ask to try
    again."""
    return (400 <= status < 500 or status == 501) and status not in RETRYABLE_STATUSES
