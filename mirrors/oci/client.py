"""The requests of the OCI distribution API (1.1) that a copy needs, with authentication and retries built in."""

from __future__ import annotations

from collections.abc import Iterable, Set
from contextlib import suppress
from dataclasses import dataclass, field, replace
from urllib.parse import quote, urlencode

from mirrors.oci import manifests
from mirrors.oci.access import RegistryAccess
from mirrors.oci.auth import pull_scope, push_scope
from mirrors.oci.calls import Call
from mirrors.oci.errors import CopyCancelledError, RegistryError, from_reply
from mirrors.oci.manifests import Descriptor, Manifest
from mirrors.oci.sender import Sender, Wire, retry_after
from mirrors.oci.settings import MAX_MANIFEST_BYTES, MIB
from mirrors.oci.transport import Ask, Hop, Reply
from mirrors.oci.urls import Url

COMMIT_BYTES_PER_SECOND = 10 * MIB
ABANDON_TIMEOUT_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Upload:
    """An open upload session: its Location, which is secret, and the reply that named it."""

    location: Url = field(repr=False)
    hop: Hop = field(repr=False)


class RegistryClient:
    """One registry, as one call may use it. Every method raises RegistryError, or CopyCancelledError."""

    def __init__(self, wire: Wire, access: RegistryAccess, call: Call) -> None:
        self.access = access
        self.call = call
        self._wire = wire
        self._sender = Sender(wire, access, call)

    def head_manifest(self, repository: str, reference: str, media_type: str = "") -> Descriptor | None:
        """None when the registry says 404. A reply without a digest is settled by a GET."""
        reply = self._sender.send(
            self._manifest_ask("HEAD", repository, reference, media_type), (pull_scope(repository),)
        )
        if reply.status == 404:
            return None
        self._expect(reply, {200}, f"looking for {self._name(repository, reference)}")
        digest = reply.headers.get("Docker-Content-Digest", "").strip()
        if not manifests.is_digest(digest):
            manifest = self.get_manifest(repository, reference, media_type)
            return Descriptor(manifest.digest, manifest.media_type, len(manifest.raw))
        content_type = reply.headers.get("Content-Type", "").partition(";")[0].strip()
        length = reply.headers.get("Content-Length", "")
        return Descriptor(digest, content_type, int(length) if length.isdecimal() else None)

    def get_manifest(self, repository: str, reference: str, media_type: str = "") -> Manifest:
        """By digest: the bytes are checked against it. By tag: the digest is computed from the bytes."""
        name = self._name(repository, reference)
        ask = replace(self._manifest_ask("GET", repository, reference, media_type), limit=MAX_MANIFEST_BYTES)
        reply = self._sender.send(ask, (pull_scope(repository),))
        self._expect(reply, {200}, f"reading {name}")
        digest = reference if manifests.is_digest(reference) else None
        content_type = reply.headers.get("Content-Type", "").partition(";")[0].strip()
        return manifests.parse(reply.body, content_type, host=self.access.host, digest=digest)

    def put_manifest(self, repository: str, reference: str, manifest: Manifest) -> None:
        ask = Ask(
            "PUT",
            self._url(repository, f"manifests/{reference}"),
            headers={"Content-Type": manifest.media_type},
            body=manifest.raw,
        )
        reply = self._sender.send(ask, (push_scope(repository),))
        self._expect(reply, {200, 201, 202}, f"writing {self._name(repository, reference)}")
        stored = reply.headers.get("Docker-Content-Digest", manifest.digest).strip()
        if stored.startswith("sha256:") and manifest.digest.startswith("sha256:") and stored != manifest.digest:
            raise RegistryError(
                "bad-digest",
                f"{self.access.host} stored {self._name(repository, reference)} as something else",
                host=self.access.host,
            )

    def has_blob(self, repository: str, digest: str) -> bool:
        """False for 404, and where looking is forbidden: uploading is then what finds out."""
        reply = self._sender.send(Ask("HEAD", self._url(repository, f"blobs/{digest}")), (push_scope(repository),))
        if reply.status in (403, 404):
            return False
        self._expect(reply, {200}, f"looking for blob {digest} in {self._name(repository)}")
        return True

    def open_blob(self, repository: str, digest: str, offset: int) -> Reply:
        """The blob from `offset` on, as a stream. Takes no slot of its own: the caller holds one."""
        headers = {"Range": f"bytes={offset}-"} if offset else {}
        ask = Ask("GET", self._url(repository, f"blobs/{digest}"), headers=headers, stream=True)
        reply = self._sender.send(ask, (pull_scope(repository),), gated=False)
        self._expect(reply, {200, 206}, f"reading blob {digest} of {self._name(repository)}")
        return reply

    def start_upload(self, repository: str) -> Upload:
        ask = Ask("POST", self._url(repository, "blobs/uploads/"))
        reply = self._sender.send(ask, (push_scope(repository),))
        self._expect(reply, {202}, f"starting an upload to {self._name(repository)}")
        return self._upload(reply)

    def mount(self, repository: str, digest: str, source: str) -> Upload | None:
        """Takes the blob over from another repository of this registry. None when that worked; else the session the
        registry opened instead. Raises RegistryError where mounting is refused."""
        query = urlencode({"mount": digest, "from": source}, quote_via=quote)
        ask = Ask("POST", self._url(repository, f"blobs/uploads/?{query}"))
        reply = self._sender.send(ask, (push_scope(repository), pull_scope(source)))
        self._expect(reply, {201, 202}, f"mounting blob {digest} into {self._name(repository)}")
        return None if reply.status == 201 else self._upload(reply)

    def put_blob(self, repository: str, upload: Upload, digest: str, size: int, body: Iterable[bytes]) -> None:
        """One PUT of the whole blob: sent once, as a stream cannot be replayed. Takes no slot of its own."""
        url = upload.location.with_query(urlencode({"digest": digest}, quote_via=quote))
        ask = Ask(
            "PUT",
            url,
            headers={"Content-Type": "application/octet-stream", "Content-Length": str(size)},
            body=body,
            came_from=upload.hop,
            reply_timeout=self._sender.stall_timeout + size / COMMIT_BYTES_PER_SECOND,
        )
        reply = self._sender.send_once(ask, (push_scope(repository),))
        self._expect(reply, {200, 201, 202, 204}, f"uploading blob {digest} to {self._name(repository)}")

    def abandon(self, repository: str, upload: Upload) -> None:
        """Best effort: an upload that is not cancelled stays on the registry's disk for days. (Distribution 2.8 takes
        back only those that no byte was sent to; the others wait for its own purge.)"""
        ask = Ask("DELETE", upload.location, came_from=upload.hop)
        with suppress(RegistryError, CopyCancelledError):
            Sender(self._wire, self.access, Call(timeout=ABANDON_TIMEOUT_SECONDS)).send_once(
                ask, (push_scope(repository),)
            )

    def _manifest_ask(self, method: str, repository: str, reference: str, media_type: str) -> Ask:
        accepted = dict.fromkeys([*manifests.ACCEPT, *([media_type] if media_type else [])])
        return Ask(method, self._url(repository, f"manifests/{reference}"), headers={"Accept": ", ".join(accepted)})

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

    def _expect(self, reply: Reply, statuses: Set[int], action: str) -> None:
        if reply.status not in statuses:
            error = from_reply(reply.status, reply.body, host=self.access.host, action=action)
            error.retry_after = retry_after(reply.headers)
            raise error
