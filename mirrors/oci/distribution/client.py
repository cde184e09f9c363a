"""The requests of the OCI distribution API (1.1) that a copy needs, with authentication and retries built in."""

from __future__ import annotations

from collections.abc import Iterator, Set
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Protocol
from urllib.parse import quote, urlencode

from mirrors.oci.common import manifests
from mirrors.oci.common.access import RegistryAccess
from mirrors.oci.common.calls import Call
from mirrors.oci.common.errors import (
    RETRYABLE_STATUSES,
    CopyCancelledError,
    RegistryError,
    content_not_seen,
    from_reply,
)
from mirrors.oci.common.headers import media_type as content_type_of
from mirrors.oci.common.headers import next_link, number, retry_after
from mirrors.oci.common.manifests import Descriptor, Manifest
from mirrors.oci.common.settings import MAX_MANIFEST_BYTES, MIB
from mirrors.oci.common.urls import Url
from mirrors.oci.distribution.authenticator import pull_scope, push_scope
from mirrors.oci.distribution.sender import HttpContext, Sender
from mirrors.oci.http.transport import Hop, HttpRequest, Reply

COMMIT_BYTES_PER_SECOND = 10 * MIB
"""Bytes a second at which a registry is expected to check a whole blob before it answers."""

CONTENT_TRIES = 3
"""Times that a manifest is sent to a registry that does not see what it refers to. Distribution on a file system writes
the link to a blob again when the blob is mounted or uploaded by somebody else, and does not see it for that moment."""

_NO_SUCH_API = frozenset({400, 404, 405, 406, 501})

ABANDON_TIMEOUT_SECONDS = 5.0
"""Seconds in which an upload is given up; the registry removes it by itself otherwise."""


@dataclass(frozen=True, slots=True)
class Upload:
    """An open upload session: its Location, which is secret, and the reply that named it."""

    location: Url = field(repr=False)
    hop: Hop = field(repr=False)


@dataclass(frozen=True, slots=True)
class ReferrersPage:
    """A part of a list of referrers, an index; `following` is where the next part is."""

    body: bytes = field(repr=False)
    following: Url | None


class BlobBody(Protocol):
    """The bytes of a blob, given out once; whether all of them were is known afterwards."""

    is_complete: bool

    def __iter__(self) -> Iterator[bytes]: ...


class RegistryClient:
    """One registry, as one call may use it. Every method raises RegistryError, or CopyCancelledError.

    A client of a target asks for tokens that allow pushes in all its requests: Quay creates a repository as soon as
    such a token is requested, and until then refuses to say what it has. One of a source never asks for them."""

    def __init__(self, wire: HttpContext, access: RegistryAccess, call: Call, *, is_target: bool = False) -> None:
        self.access = access
        self.call = call
        self._scope = push_scope if is_target else pull_scope
        self._wire = wire
        self._sender = Sender(wire, access, call)

    def preconnect(self, wanted: int) -> None:
        """Opens one connection where fewer than `wanted` are open. Raises nothing: what fails here is left to the
        request that needs a connection."""
        with suppress(RegistryError, CopyCancelledError):
            self._wire.transport.preconnect(self.access, wanted, self.call)

    def head_manifest(
        self, repository: str, reference: str, media_type: str = "", *, confirm: bool = False
    ) -> Descriptor | None:
        """None when the registry says 404. A reply without a digest is settled by a GET; with `confirm`, so is one that
        denies the manifest: some registries refuse a HEAD of what they show to a GET."""
        reply = self._sender.send(
            self._manifest_request("HEAD", repository, reference, media_type), (self._scope(repository),)
        )
        if reply.status != 200 and confirm and _is_denial(reply.status):
            return self.read_descriptor(repository, reference, media_type)
        if reply.status == 404:
            return None
        self._expect(reply, {200}, f"looking for {self._name(repository, reference)}")
        digest = reply.headers.get("Docker-Content-Digest", "").strip()
        if not manifests.is_digest(digest):
            return self.read_descriptor(repository, reference, media_type)
        return Descriptor(digest, content_type_of(reply.headers), number(reply.headers.get("Content-Length")))

    def get_manifest(
        self, repository: str, reference: str, media_type: str = "", *, max_bytes: int = MAX_MANIFEST_BYTES
    ) -> Manifest:
        """By digest: the bytes are checked against it. By tag: the digest is computed from the bytes."""
        reply = self._get(repository, reference, media_type, max_bytes)
        self._expect(reply, {200}, f"reading {self._name(repository, reference)}")
        digest = reference if manifests.is_digest(reference) else None
        return manifests.parse(reply.body, content_type_of(reply.headers), host=self.access.host, digest=digest)

    def read_descriptor(self, repository: str, reference: str, media_type: str = "") -> Descriptor | None:
        """A GET in place of a HEAD: its bytes are hashed and not read. None when the registry says 404."""
        reply = self._get(repository, reference, media_type)
        if reply.status == 404:
            return None
        name = self._name(repository, reference)
        self._expect(reply, {200}, f"looking for {name}")
        if not reply.body.lstrip().startswith(b"{"):
            raise RegistryError("invalid", f"{self.access.host} sent no manifest for {name}", host=self.access.host)
        digest = reference if manifests.is_digest(reference) else manifests.digest_of(reply.body)
        return Descriptor(digest, content_type_of(reply.headers), len(reply.body))

    def _get(self, repository: str, reference: str, media_type: str, max_bytes: int = MAX_MANIFEST_BYTES) -> Reply:
        request = replace(self._manifest_request("GET", repository, reference, media_type), limit=max_bytes)
        return self._sender.send(request, (self._scope(repository),))

    def get_referrers(self, repository: str, digest: str, page: Url | None = None) -> ReferrersPage | None:
        """What refers to a manifest, a page at a time; None where the registry has no referrers API. Any other error
        does not mean that there are none."""
        url = page or self._url(repository, f"referrers/{digest}")
        request = HttpRequest("GET", url, headers={"Accept": manifests.OCI_INDEX}, limit=MAX_MANIFEST_BYTES)
        reply = self._sender.send(request, (self._scope(repository),))
        if page is None and _has_no_api(reply):
            return None
        self._expect(reply, {200}, f"listing what refers to {self._name(repository, digest)}")
        link = next_link(reply.headers)
        following = reply.hop.url.follow(link, seen_by=self.access.host) if link else None
        if following is not None and following.origin != url.origin:
            raise RegistryError(
                "address-refused", f"{self.access.host} has its list of referrers elsewhere", host=self.access.host
            )
        return ReferrersPage(reply.body, following)

    def put_manifest(self, repository: str, reference: str, manifest: Manifest) -> bool:
        """Whether the registry has listed it with its subject, where it has one (distribution API 1.1).

        What it refers to was there a moment ago: a registry that does not see it is asked again."""
        request = HttpRequest(
            "PUT",
            self._url(repository, f"manifests/{reference}"),
            headers={"Content-Type": manifest.media_type},
            body=manifest.raw,
        )
        reply = self._send_manifest(request, repository, f"writing {self._name(repository, reference)}")
        self._check_stored(reply, manifest.digest, self._name(repository, reference))
        return bool(manifest.subject) and reply.headers.get("OCI-Subject", "").strip() == manifest.subject

    def _send_manifest(self, request: HttpRequest, repository: str, action: str) -> Reply:
        for attempt in count():
            reply = self._sender.send(request, (push_scope(repository),))
            not_seen = content_not_seen(reply.status, reply.body, host=self.access.host, action=action)
            if not_seen is None:
                break
            if attempt == CONTENT_TRIES - 1:
                raise not_seen
            self.call.sleep(self._wire.settings.backoff(attempt), self.access.host)
        self._expect(reply, {200, 201, 202}, action)
        return reply

    def has_blob(self, repository: str, digest: str, *, confirm: bool = False) -> bool:
        """False where looking is forbidden, too: uploading is then what finds out. With `confirm`, a GET settles what a
        HEAD denies."""
        reply = self._sender.send(
            HttpRequest("HEAD", self._url(repository, f"blobs/{digest}")), (self._scope(repository),)
        )
        if _is_denial(reply.status):
            return confirm and self._can_read(repository, digest)
        self._expect(reply, {200}, f"looking for blob {digest} in {self._name(repository)}")
        return True

    def _can_read(self, repository: str, digest: str) -> bool:
        try:
            reply = self.open_blob(repository, digest, 0)
        except RegistryError as error:
            if not error.permanent:
                raise
            return False
        if reply.stream is not None:
            reply.stream.close()
        return True

    def open_blob(self, repository: str, digest: str, offset: int) -> Reply:
        """The blob from `offset` on, as a stream. Takes no slot of its own: the caller holds one."""
        headers = {"Range": f"bytes={offset}-"} if offset else {}
        request = HttpRequest("GET", self._url(repository, f"blobs/{digest}"), headers=headers, stream=True)
        reply = self._sender.send(request, (self._scope(repository),), gated=False)
        self._expect(reply, {200, 206}, f"reading blob {digest} of {self._name(repository)}")
        return reply

    def start_upload(self, repository: str) -> Upload:
        request = HttpRequest("POST", self._url(repository, "blobs/uploads/"))
        reply = self._sender.send(request, (push_scope(repository),))
        self._expect(reply, {202}, f"starting an upload to {self._name(repository)}")
        return self._upload(reply)

    def mount(self, repository: str, digest: str, source: str) -> Upload | None:
        """Takes the blob over from a repository of this registry. None when that worked; else the session the
        registry opened instead. Raises RegistryError where mounting is refused or fails; it is not tried again."""
        query = urlencode({"mount": digest, "from": source}, quote_via=quote)
        request = HttpRequest("POST", self._url(repository, f"blobs/uploads/?{query}"))
        # To push includes to pull.
        scopes = (push_scope(repository),) if source == repository else (push_scope(repository), pull_scope(source))
        reply = self._sender.send(request, scopes, tries=1)
        self._expect(reply, {201, 202}, f"mounting blob {digest} into {self._name(repository)}")
        if reply.status == 201:
            self._check_stored(reply, digest, f"blob {digest}")
        return None if reply.status == 201 else self._upload(reply)

    def put_blob(self, repository: str, upload: Upload, digest: str, size: int, body: BlobBody | bytes) -> None:
        """One PUT of the whole blob: sent once, as a stream cannot be replayed. Takes no slot of its own."""
        url = upload.location.with_query(urlencode({"digest": digest}, quote_via=quote))
        # Streams have a time for each chunk of their own.
        rate = self._wire.settings.slow_bytes_per_second if isinstance(body, bytes) else COMMIT_BYTES_PER_SECOND
        request = HttpRequest(
            "PUT",
            url,
            headers={"Content-Type": "application/octet-stream", "Content-Length": str(size)},
            body=body,
            came_from=upload.hop,
            reply_timeout=self._sender.stall_timeout + size / rate,
        )
        reply = self._sender.send_once(request, (push_scope(repository),))
        self._expect(reply, {200, 201, 202, 204}, f"uploading blob {digest} to {self._name(repository)}")
        if not isinstance(body, bytes) and not body.is_complete:
            raise RegistryError(
                "unavailable",
                f"{self.access.host} answered {reply.status} before it had all of blob {digest}: it has not stored it",
                host=self.access.host,
            )
        self._check_stored(reply, digest, f"blob {digest}")
        if reply.status == 202 and not self.has_blob(repository, digest, confirm=True):
            words = f"{self.access.host} accepted blob {digest} and has not stored it"
            raise RegistryError("unavailable", words, host=self.access.host)

    def abandon(self, repository: str, upload: Upload) -> None:
        """Best effort: an upload that is not cancelled stays on the registry's disk for days. (Distribution 2.8 takes
        back only those that no byte was sent to; the others wait for its own purge.)"""
        request = HttpRequest("DELETE", upload.location, came_from=upload.hop)
        with suppress(RegistryError, CopyCancelledError):
            Sender(self._wire, self.access, Call(timeout=ABANDON_TIMEOUT_SECONDS)).send_once(
                request, (push_scope(repository),)
            )

    def _manifest_request(self, method: str, repository: str, reference: str, media_type: str) -> HttpRequest:
        accepted = dict.fromkeys([*manifests.ACCEPT, *([media_type] if media_type else [])])
        return HttpRequest(
            method, self._url(repository, f"manifests/{reference}"), headers={"Accept": ", ".join(accepted)}
        )

    def _url(self, repository: str, rest: str) -> Url:
        return self._wire.transport.api(self.access, f"/v2/{repository}/{rest}")

    def _upload(self, reply: Reply) -> Upload:
        location = reply.headers.get("Location")
        if not location:
            raise RegistryError(
                "invalid", f"{self.access.host} opened an upload without a Location", host=self.access.host
            )
        return Upload(reply.hop.url.follow(location, seen_by=self.access.host), reply.hop)

    def _name(self, repository: str, reference: str = "") -> str:
        separator = "@" if manifests.is_digest(reference) else ":"
        return f"{self.access.host}/{repository}{separator + reference if reference else ''}"

    def _check_stored(self, reply: Reply, digest: str, what: str) -> None:
        """A registry that says which digest it stored must say the one that was sent."""
        said = reply.headers.get("Docker-Content-Digest", "").strip()
        if said and said.partition(":")[0] == digest.partition(":")[0] and said != digest:
            raise RegistryError(
                "bad-digest", f"{self.access.host} stored {what} with another digest", host=self.access.host
            )

    def _expect(self, reply: Reply, statuses: Set[int], action: str) -> None:
        if reply.status not in statuses:
            error = from_reply(
                reply.status,
                reply.body,
                host=self.access.host,
                action=action,
                credentials_sent=reply.credentials_sent,
            )
            error.retry_after = retry_after(reply.headers)
            raise error


def _has_no_api(reply: Reply) -> bool:
    """Whether the registry does not know the referrers API. The specification demands a 404; Artifactory answers 406,
    others 400, 405 or 501, or with a page for people."""
    is_text = reply.status == 200 and content_type_of(reply.headers).startswith("text/")
    return reply.status in _NO_SUCH_API or is_text


def _is_denial(status: int) -> bool:
    """Whether a HEAD says no in a way that a GET may not: anything but a wish to wait."""
    return (400 <= status < 500 or status == 501) and status not in RETRYABLE_STATUSES
