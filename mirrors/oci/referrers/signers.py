"""Signatures at a target: who made them, and whether they are the target's own."""

from __future__ import annotations

from contextlib import suppress
from typing import Final

from mirrors.oci.common import manifests
from mirrors.oci.common.errors import RegistryError
from mirrors.oci.common.manifests import Manifest
from mirrors.oci.common.settings import MIB
from mirrors.oci.distribution.client import RegistryClient
from mirrors.oci.distribution.sender import HttpContext
from mirrors.oci.http.streams import read_whole
from mirrors.oci.referrers import identities
from mirrors.oci.referrers.kinds import SIGSTORE_BUNDLE

MAX_BUNDLE_BYTES: Final = MIB
"""Bundles have about 10 KiB."""


def signers_of(wire: HttpContext, client: RegistryClient, repository: str, digest: str) -> list[str]:
    """Identities in the certificates of a signature; none where it was made with a key, or cannot be read."""
    with suppress(RegistryError):
        found = client.get_manifest(repository, digest)
        if found.artifact_type.startswith(SIGSTORE_BUNDLE):
            bundles = [_read(wire, client, repository, blob.digest) for blob in _bundles(found)]
            return [name for raw in bundles for name in identities.of_bundle(raw)]
        return list(identities.of_signature_manifest(manifests.read_object(found.raw, client.access.host)))
    return []


def has_others(client: RegistryClient, repository: str, present: str, wanted: Manifest) -> bool:
    """Whether what a target has under a tag of cosign's holds signatures that `wanted` does not: somebody has signed
    the image at the target, and would lose that."""
    theirs = client.get_manifest(repository, present)
    return bool({blob.digest for blob in _layers(theirs)} - {blob.digest for blob in wanted.blobs})


def _layers(manifest: Manifest) -> tuple[manifests.Descriptor, ...]:
    """Without the config, which differs with any signature."""
    return manifest.blobs[1:]


def _bundles(manifest: Manifest) -> list[manifests.Descriptor]:
    return [blob for blob in _layers(manifest) if blob.media_type.startswith(SIGSTORE_BUNDLE)][:1]


def _read(wire: HttpContext, client: RegistryClient, repository: str, digest: str) -> bytes:
    host = client.access.host
    with wire.gate.hold([host], client.call):
        reply = client.open_blob(repository, digest, 0)
        raw = b"" if reply.stream is None else read_whole(reply.stream, MAX_BUNDLE_BYTES, host)
    if manifests.digest_of(raw, digest.partition(":")[0]) != digest:
        raise RegistryError("bad-digest", f"{host} sent a blob that is not {digest}", host=host)
    return raw
