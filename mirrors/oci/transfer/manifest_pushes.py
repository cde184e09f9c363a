"""Pushes the manifests of one image: each by digest as soon as the target has all its content, and the tag last."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from mirrors.oci.blobs.blob_transfers import BlobTransfers
from mirrors.oci.common.copy_request import CopyRequest
from mirrors.oci.common.errors import ContentNotSeenError, RegistryError
from mirrors.oci.common.manifests import Manifest
from mirrors.oci.distribution.registry_client import RegistryClient
from mirrors.oci.transfer.compare import Comparer
from mirrors.oci.transfer.plan import find_by_get


@dataclass(frozen=True, slots=True)
class ManifestPushes:
    """Pushes to the target of one copy. `unlisted` have a subject, and the target did not confirm that it lists
    them."""

    request: CopyRequest
    target: RegistryClient
    comparer: Comparer
    blobs: BlobTransfers
    unlisted: list[Manifest] = field(default_factory=list)

    def push_tag(self, tag: str, manifest: Manifest) -> None:
        """Push the manifest under its tag. A registry with immutable tags refuses a tag that another copy has just
        written: if it has this manifest, the push is done."""
        before_send = None if self.request.subject else self.request.before_tag
        try:
            stored = self.comparer.send(self.push, tag, manifest, before_send)
            self.comparer.traits.record_written_tag(self.request.target.registry, self.request.target.repository, tag)
        except RegistryError as error:
            present = self.comparer.look_up(tag) if error.code in ("tag-immutable", "conflict") else None
            if present is None or present.digest != manifest.digest:
                raise
            self.blobs.record(manifest.digest)
        else:
            if self.request.source.digest is not None:
                self._ensure_digest(manifest, stored)

    def _ensure_digest(self, manifest: Manifest, stored: str) -> None:
        """Make sure that the target has the manifest by its digest, because nodes pull a pinned image by digest. If the
        registry has `stored` it by a digest of another algorithm, it is pushed again by this digest. Raises
        RegistryError `unsupported` if the registry does not have it by this digest even after that."""
        algorithm, repository, target = manifest.digest.partition(":")[0], self.request.target.repository, self.target
        # Registries that do not report the digest use sha256.
        if (stored or "sha256:").startswith(f"{algorithm}:"):
            return
        try:
            if self.comparer.send(self.push, manifest.digest, manifest) == manifest.digest:
                return
            has_digest = self.comparer.send(find_by_get, target, repository, manifest.digest) is not None
        except RegistryError as error:
            if not error.permanent:
                raise
            has_digest = False
        if not has_digest:
            host = target.access.host
            message = (
                f"{host} does not store digests of the algorithm {algorithm}: nodes cannot pull {repository} by it; "
                "refer to the image by its tag or by its sha256 digest"
            )
            raise RegistryError("unsupported", message, host=host, says_step=True)

    def push(self, reference: str, manifest: Manifest, before_send: Callable[[], None] | None = None) -> str:
        """Push a manifest, and return the digest that the target reports as stored, "" if it reports none."""
        repository = self.request.target.repository
        try:
            stored = self.target.put_manifest(repository, reference, manifest, before_send=before_send)
        except ContentNotSeenError:
            self.comparer.traits.record_contradiction((self.request.target.registry, repository))
            raise
        if manifest.subject and not stored.is_listed and manifest not in self.unlisted:
            self.unlisted.append(manifest)
        self.blobs.record(manifest.digest)
        return stored.digest
