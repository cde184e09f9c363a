"""Registries that behave like those of large vendors, in everything that affects a copy."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

from mirrors.demo.handler import Handler
from mirrors.demo.images import OCI_INDEX
from mirrors.demo.memory_storage import Storage
from tests.support.faulty_registry import FaultyRegistry


@dataclass(frozen=True, slots=True)
class Profile:
    """The behaviour of a registry. `page` is the number of entries in one page of a referrers list. `acknowledges`: the
    response to a push has OCI-Subject."""

    has_referrers: bool = True
    acknowledges: bool = True
    page: int = 1000
    takes_subjects: bool = True
    takes_chunks: bool = True
    creates_repositories: bool = True
    mounts_what_is_used: bool = False
    immutable_tags: bool = False
    says_immutable: str = "TAG_INVALID"
    mounts_from: frozenset[str] | None = None
    denies_heads: bool = False
    pulls: int | None = None
    max_layer: int | None = None
    """Bytes."""


PROFILES: Final = {
    "distribution3": Profile(),
    "ghcr": Profile(has_referrers=False, acknowledges=False),
    "ecr": Profile(
        takes_chunks=False,
        creates_repositories=False,
        mounts_what_is_used=True,
        immutable_tags=True,
        says_immutable="ImageTagAlreadyExistsException",
    ),
    "gar": Profile(takes_chunks=False),
    "dockerhub": Profile(pulls=100),
    "quay": Profile(page=50),
    "harbor": Profile(mounts_from=frozenset()),
    "artifactory": Profile(denies_heads=True),
}


class ProfiledRegistry(FaultyRegistry):
    """A registry with the behaviour of a profile. Faults that a test sets take precedence over the profile."""

    def __init__(self, profile: Profile) -> None:
        super().__init__()
        self.profile = profile
        self.repositories: set[str] = set()
        self.pulls = 0

    def intercept(self, handler: Handler) -> bool:
        if super().intercept(handler):
            return True
        path = handler.path.partition("?")[0]
        repository, is_referrers, digest = path.removeprefix("/v2/").partition("/referrers/")
        if is_referrers:
            return self._list(handler, repository, digest)
        return self._refuses(handler) or self._counts(handler) or self._takes_subject(handler)

    def _list(self, handler: Handler, repository: str, digest: str) -> bool:
        if not self.profile.has_referrers:
            handler.respond_error(404, "UNSUPPORTED")
            return True
        found = referrers(self.storage, repository, digest)
        first = int(handler.query.get("last", ["0"])[0])
        following = first + self.profile.page
        index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": found[first:following]}
        more = {"Link": f'</v2/{repository}/referrers/{digest}?last={following}>; rel="next"'}
        handler.respond(
            200, json.dumps(index).encode(), Content_Type=OCI_INDEX, **(more if len(found) > following else {})
        )
        return True

    def _refuses(self, handler: Handler) -> bool:
        """Refuse requests that this registry does not support. Return whether it refused."""
        profile, method = self.profile, handler.command
        is_write = method in ("PUT", "POST", "PATCH")
        is_manifest = "/manifests/" in handler.path
        if is_write and not profile.creates_repositories and handler.repository not in self.repositories:
            handler.respond_error(404, "NAME_UNKNOWN")
        elif method == "PATCH" and not profile.takes_chunks:
            handler.respond_error(405, "UNSUPPORTED")
        elif method == "PUT" and profile.max_layer is not None and _length(handler) > profile.max_layer:
            handler.respond_error(413, "SIZE_INVALID")
        elif method == "HEAD" and is_manifest and profile.denies_heads:
            handler.respond_error(403, "DENIED")
        elif method == "POST" and "mount" in handler.query:
            return self._refuses_mount(handler)
        elif method == "PUT" and is_manifest and profile.immutable_tags and self._is_tagged(handler):
            handler.respond_error(400, profile.says_immutable)
        else:
            return False
        return True

    def _is_tagged(self, handler: Handler) -> bool:
        return (handler.repository, handler.rest) in self.storage.tags

    def _refuses_mount(self, handler: Handler) -> bool:
        origin = handler.query.get("from", [""])[0]
        if not origin:
            handler.respond_error(400, "UNSUPPORTED")
        elif self.profile.mounts_from is not None and origin not in self.profile.mounts_from:
            handler.respond_error(401, "UNAUTHORIZED")
        elif self.profile.mounts_what_is_used and not self._is_used(origin, handler.query["mount"][0]):
            handler._upload_accepted(self.storage.start_upload())
        else:
            return False
        return True

    def _is_used(self, repository: str, digest: str) -> bool:
        return any(name == repository and digest.encode() in raw for (name, _), (_, raw) in _manifests(self.storage))

    def _counts(self, handler: Handler) -> bool:
        """Count a GET of a manifest as a pull, whatever the response. Return whether it responded."""
        if self.profile.pulls is not None and "/manifests/" in handler.path and handler.command == "GET":
            self.pulls += 1
            found = self.storage.manifest(handler.repository, handler.rest)
            if found is not None:
                left = f"{self.profile.pulls - self.pulls};w=21600"
                digest, media_type, raw = found
                handler.respond(
                    200, raw, Content_Type=media_type, Docker_Content_Digest=digest, RateLimit_Remaining=left
                )
                return True
        return False

    def _takes_subject(self, handler: Handler) -> bool:
        """Handle a push of a manifest. Its subject may be acknowledged, ignored or refused, depending on the
        profile."""
        if handler.command != "PUT" or "/manifests/" not in handler.path:
            return False
        raw = handler.read_body()
        if handler.is_cut_off(raw):
            return True
        subject = _document(raw).get("subject")
        if subject and not self.profile.takes_subjects:
            handler.respond_error(405, "UNSUPPORTED")
            return True
        tag = None if handler.rest.startswith("sha256:") else handler.rest
        digest = self.storage.add_manifest(handler.repository, handler.headers["Content-Type"], raw, tag)
        output = {"OCI_Subject": subject["digest"]} if subject and self.profile.acknowledges else {}
        handler.respond(
            201, Location=f"/v2/{handler.repository}/manifests/{digest}", Docker_Content_Digest=digest, **output
        )
        return True


def referrers(storage: Storage, repository: str, digest: str) -> list[dict[str, Any]]:
    """Return descriptors of the manifests that name the digest as their subject."""
    found = []
    for (name, own), (media_type, raw) in _manifests(storage):
        document = _document(raw)
        if name == repository and (document.get("subject") or {}).get("digest") == digest:
            kind = document.get("artifactType") or document.get("config", {}).get("mediaType", "")
            entry = {"mediaType": media_type, "digest": own, "size": len(raw), "artifactType": kind}
            found.append({**entry, "annotations": document.get("annotations", {})})
    return found


def _length(handler: Handler) -> int:
    return int(handler.headers.get("Content-Length", "0"))


def _manifests(storage: Storage) -> list[tuple[tuple[str, str], tuple[str, bytes]]]:
    with storage.lock:
        return list(storage.manifests.items())


def _document(raw: bytes) -> dict[str, Any]:
    try:
        document = json.loads(raw)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}
