"""Signatures at a target: their signers, and whether the source has them too."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Final

from mirrors.oci.common import descriptors, manifests
from mirrors.oci.common.engine_settings import MIB
from mirrors.oci.common.errors import RegistryError
from mirrors.oci.common.manifests import Manifest
from mirrors.oci.distribution.registry_client import RegistryClient
from mirrors.oci.distribution.sender import HttpContext
from mirrors.oci.http.streams import read_whole
from mirrors.oci.referrers import identities
from mirrors.oci.referrers.kinds import SIGSTORE_BUNDLE, Referrer

SIGNATURE_ANNOTATION: Final = "dev.cosignproject.cosign/signature"
"""The annotation of a layer that contains the signature of its content in base64."""

MAX_BUNDLE_BYTES: Final = MIB
"""The maximum size of a bundle; real ones have about 10 KiB."""


def signers_of(http: HttpContext, client: RegistryClient, repository: str, digest: str) -> list[str] | None:
    """Return the identities in the certificates of a signature; none if it was created with a key, or if they cannot be
    read. Return None for a manifest without a signature. Raises RegistryError if the manifest cannot be read."""
    manifest = client.get_manifest(repository, digest)
    if not _is_signature(manifest, client.access.host):
        return None
    with suppress(RegistryError):
        if manifest.artifact_type.startswith(SIGSTORE_BUNDLE):
            bundles = [_read(http, client, repository, blob.digest) for blob in _bundles(manifest)]
            return [name for raw in bundles for name in identities.of_bundle(raw)]
        return list(identities.of_signature_manifest(manifests.read_object(manifest.raw, client.access.host)))
    return []


def _is_signature(manifest: Manifest, host: str) -> bool:
    """Return whether a manifest is a signature, by its artifact type or its layers: cosign's tags may contain
    anything."""
    has_signature_type = Referrer.of(manifest).is_signature
    return has_signature_type or (
        not manifest.children and any(signature for _, signature in _signatures(manifest, host))
    )


def check_signatures_kept(
    target: RegistryClient, repository: str, tag: str, new_digest: str, read_source: Callable[[], Manifest]
) -> None:
    """Raise RegistryError `conflict` if the target has signatures of its own under a cosign tag: a manifest with the
    digest `new_digest`, which `read_source` gets from the source, would overwrite them. If a HEAD is denied, a GET
    decides. If the target does not show what it has, its error is raised, and nothing is overwritten."""
    present = target.head_manifest(repository, tag, confirm=True)
    if present is None or present.digest == new_digest:
        return
    host = target.access.host
    if _signatures(target.get_manifest(repository, present.digest), host) - _signatures(read_source(), host):
        message = f"{host}/{repository}:{tag} holds signatures that the source does not have: it was not changed"
        raise RegistryError("conflict", message, host=host, permanent=True)


def _signatures(manifest: Manifest, host: str) -> set[tuple[str, str]]:
    """Return the digest and the signature of each layer. Signatures of the same payload by several keys differ only in
    the annotation. The config, which differs with any signature, is left out."""
    document = manifests.read_object(manifest.raw, host)
    entries = [*(document.get("layers") or ()), *(document.get("manifests") or ())]
    return {(entry["digest"], descriptors.annotations_of(entry).get(SIGNATURE_ANNOTATION, "")) for entry in entries}


def _bundles(manifest: Manifest) -> list[descriptors.Descriptor]:
    return [blob for blob in manifest.blobs[1:] if blob.media_type.startswith(SIGSTORE_BUNDLE)][:1]


def _read(http: HttpContext, client: RegistryClient, repository: str, digest: str) -> bytes:
    host = client.access.host
    with http.gate.hold([host], client.call):
        reply = client.open_blob(repository, digest, 0)
        raw = b"" if reply.stream is None else read_whole(reply.stream, MAX_BUNDLE_BYTES, host)
    if descriptors.digest_of(raw, digest.partition(":")[0]) != digest:
        raise RegistryError("bad-digest", f"{host} sent a blob whose digest is not {digest}", host=host)
    return raw
