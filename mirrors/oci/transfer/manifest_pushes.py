"""Pushes of one image's manifests: by digest as soon as all is there that each refers to, and the tag last."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from mirrors.oci.blobs.blob_transfers import BlobTransfers
from mirrors.oci.common.copy_request import CopyRequest
from mirrors.oci.common.errors import ContentNotSeenError, RegistryError
from mirrors.oci.common.manifests import Manifest
from mirrors.oci.distribution.registry_client import RegistryClient
from mirrors.oci.transfer.compare import Comparer
from mirrors.oci.transfer.plan import is_readable


@dataclass(frozen=True, slots=True)
class ManifestPushes:
    """To the target of one copy. `unlisted` have a subject, and the target did not say that it lists them."""

    request: CopyRequest
    target: RegistryClient
    comparer: Comparer
    blobs: BlobTransfers
    unlisted: list[Manifest] = field(default_factory=list)

    def push_tag(self, tag: str, manifest: Manifest) -> None:
        """A registry with immutable tags refuses to write again what another copy has just written: that is done."""
        before = None if self.request.subject else self.request.before_tag
        try:
            stored = self.comparer.send(self.push, tag, manifest, before)
            self.comparer.traits.wrote_tag(self.request.target.registry, self.request.target.repository, tag)
        except RegistryError as error:
            present = self.comparer.look(tag) if error.code in ("tag-immutable", "conflict") else None
            if present is None or present.digest != manifest.digest:
                raise
            self.blobs.record(manifest.digest)
        else:
            if self.request.source.digest is not None:
                self._settle_digest(manifest, stored)

    def _settle_digest(self, manifest: Manifest, stored: str) -> None:
        """A pinned image is pulled by its digest. A registry that has `stored` it by one of another algorithm is sent
        it once more, by this one. Raises RegistryError `unsupported` where it does not have it by this one then."""
        algorithm, repository, target = manifest.digest.partition(":")[0], self.request.target.repository, self.target
        # Registries that do not say it take sha256.
        if (stored or "sha256:").startswith(f"{algorithm}:"):
            return
        try:
            if self.comparer.send(self.push, manifest.digest, manifest) == manifest.digest:
                return
            has_digest = self.comparer.send(is_readable, target, repository, manifest.digest) is not None
        except RegistryError as error:
            if not error.permanent:
                raise
            has_digest = False
        if not has_digest:
            host = target.access.host
            words = (
                f"{host} does not store digests of the algorithm {algorithm}: nodes cannot pull {repository} by it; "
                "refer to the image by its tag or by its sha256 digest"
            )
            raise RegistryError("unsupported", words, host=host, says_step=True)

    def push(self, reference: str, manifest: Manifest, before: Callable[[], None] | None = None) -> str:
        """The digest that the target says it stored, "" where it does not say."""
        repository = self.request.target.repository
        try:
            stored = self.target.put_manifest(repository, reference, manifest, before=before)
        except ContentNotSeenError:
            self.comparer.traits.contradicted((self.request.target.registry, repository))
            raise
        if manifest.subject and not stored.is_listed and manifest not in self.unlisted:
            self.unlisted.append(manifest)
        self.blobs.record(manifest.digest)
        return stored.digest
