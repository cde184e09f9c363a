"""Parses manifests and indexes, and finds the content that they refer to. Pure, no I/O.

Follows the OCI image specification 1.1 and Docker's image manifest v2, schema 2. Bytes are never rewritten.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any, Final

from mirrors.oci.common.descriptors import (
    MAX_MEDIA_TYPE,
    MEDIA_TYPE,
    Descriptor,
    annotations_of,
    artifact_type_of,
    descriptor_of,
    digest_of,
    is_digest,
    malformed,
)
from mirrors.oci.common.engine_settings import KIB
from mirrors.oci.common.errors import RegistryError
from mirrors.oci.common.field_names import miscased_field

OCI_INDEX: Final = "application/vnd.oci.image.index.v1+json"
OCI_MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
DOCKER_LIST: Final = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_MANIFEST: Final = "application/vnd.docker.distribution.manifest.v2+json"
INDEXES: Final = (OCI_INDEX, DOCKER_LIST)
ACCEPT: Final = (OCI_INDEX, OCI_MANIFEST, DOCKER_LIST, DOCKER_MANIFEST)

MAX_JSON_COMMAS: Final = 500_000
"""The maximum number of commas of one document. Each value takes some 100 bytes of memory once it is parsed; the
largest index of the tests, of 10,000 entries, has 60,000 values."""

SMALL_JSON_BYTES: Final = 64 * KIB
"""Larger documents are parsed one at a time, because their objects take up to a hundred times the size of the text."""

_LARGE_DOCUMENTS: Final = threading.Lock()
_GENERAL = re.compile(r"text/|application/json$|(application|binary)/octet-stream$")
"""Media types of arbitrary content, as file servers report them."""

_SCHEMA_1 = re.compile(r"application/vnd\.docker\.distribution\.manifest\.v1\+(json|prettyjws)")
_FOREIGN = re.compile(
    r"application/vnd\.docker\.image\.rootfs\.foreign\.diff\.tar(\.gzip)?|"
    r"application/vnd\.oci\.image\.layer\.nondistributable\.v1\.tar([.+](gzip|zstd))?"
)
_UNSHOWN = re.compile(r"[^A-Za-z0-9._-]")
MAX_PLATFORMS: Final = 200
"""Platforms of one index that are shown; the largest real ones have twenty. All platforms are copied."""

MAX_PLATFORM_PART: Final = 40
"""Characters of an operating system, an architecture or a variant; the longest known have ten."""
_LAYER = re.compile(r"\.rootfs\.|\.image\.layer\.|\.cacheconfig\.")


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest or index as it was received; `digest` is that of `raw`. `platforms` are those of an index's runnable
    children, shortened and cleaned for display. `foreign` are layers that nodes read from their `urls`, and that are
    not copied.

    `subject` is the digest of the manifest that this one refers to, "" for an ordinary image. `artifact_type` is the
    type of the config if the manifest does not specify one (image specification 1.1)."""

    raw: bytes = field(repr=False)
    digest: str
    media_type: str
    children: tuple[Descriptor, ...] = ()
    blobs: tuple[Descriptor, ...] = ()
    platforms: tuple[str, ...] = ()
    foreign: tuple[str, ...] = ()
    subject: str = ""
    artifact_type: str = ""
    annotations: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def descriptor(self) -> Descriptor:
        """The descriptor that a lookup of this manifest would have returned."""
        return Descriptor(self.digest, self.media_type, len(self.raw))


def is_schema_1(media_type: str) -> bool:
    return _SCHEMA_1.match(media_type) is not None


def parse(raw: bytes, content_type: str, *, host: str, digest: str | None = None) -> Manifest:
    """Parse a manifest. With `digest`, the bytes must match it. Raises RegistryError: `bad-digest`, `unsupported`
    (schema 1), `invalid` or `too-large`."""
    algorithm = digest.partition(":")[0] if digest else "sha256"
    actual = digest_of(raw, algorithm)
    if digest is not None and actual != digest:
        raise RegistryError("bad-digest", f"{host} sent a manifest whose digest is not {digest}", host=host)
    with nullcontext() if len(raw) <= SMALL_JSON_BYTES else _LARGE_DOCUMENTS:
        return _parse_document(raw, actual, content_type, host, is_pinned=digest is not None)


def _parse_document(raw: bytes, digest: str, content_type: str, host: str, *, is_pinned: bool) -> Manifest:
    # A child of an unknown type that cannot be parsed is copied unchanged.
    is_unknown_type = is_pinned and content_type not in ACCEPT
    document = (_load_object(raw, host) or {}) if is_unknown_type else read_object(raw, host)
    media_type = _media_type(document, content_type)
    if is_schema_1(media_type) or document.get("schemaVersion") == 1:
        raise RegistryError(
            "unsupported",
            f"{host} has this image only in the old schema 1 format; push it again with a current tool",
            host=host,
            says_step=True,
        )
    if media_type in ACCEPT and (field_name := miscased_field(document)):
        message = (
            f"{host} sent a manifest with the field {field_name!r} in unusual case, which clients interpret differently"
        )
        raise RegistryError("invalid", message, host=host)
    if "manifests" in document and ("layers" in document or "config" in document):
        raise RegistryError(
            "invalid", f"{host} sent a document that claims to be both a manifest and an index", host=host
        )
    entries = _descriptors(document, "manifests", host)
    children, index_blobs = _split(entries)
    layers = [*_descriptors(document, "layers", host), *_descriptors(document, "blobs", host)]
    config = [document["config"]] if isinstance(document.get("config"), dict) else []
    blobs = [descriptor_of(entry, host) for entry in [*config, *layers] if not _is_foreign(entry)]
    platforms = dict.fromkeys(platform_name(entry) for entry in entries)
    platform_names = [name for name in platforms if name and name != "unknown/unknown"]
    return Manifest(
        raw,
        digest,
        media_type,
        tuple(descriptor_of(entry, host) for entry in children),
        (*blobs, *(descriptor_of(entry, host) for entry in index_blobs)),
        tuple(platform_names[:MAX_PLATFORMS]),
        tuple(descriptor_of(entry, host).digest for entry in layers if _is_foreign(entry)),
        _subject(document),
        artifact_type_of(document),
        annotations_of(document),
    )


def children_of(manifest: Manifest) -> tuple[str, ...]:
    """Return the digests that an index lists; none if it lists other indexes, whose entries a node selects from too."""
    if any(child.media_type in INDEXES for child in manifest.children):
        return ()
    return tuple(child.digest for child in manifest.children)


def platform_name(entry: dict[str, Any]) -> str:
    """Return `os/arch[/variant]`, "" for an entry without a platform. Parts are cut, and unusual characters
    replaced."""
    platform = entry.get("platform")
    if not isinstance(platform, dict):
        return ""
    parts = [platform.get("os"), platform.get("architecture"), platform.get("variant")]
    return "/".join(_UNSHOWN.sub("?", part[:MAX_PLATFORM_PART]) for part in parts if isinstance(part, str) and part)


def read_object(raw: bytes, host: str) -> dict[str, Any]:
    """Return the JSON object that a registry sent. Raises RegistryError: `invalid` for anything else, or
    `too-large`."""
    document = _load_object(raw, host)
    if document is None:
        raise RegistryError("invalid", f"{host} sent a manifest that is not a JSON object", host=host)
    return document


def _load_object(raw: bytes, host: str) -> dict[str, Any] | None:
    """Return the JSON object, None for anything else. Raises RegistryError `too-large`."""
    if raw.count(b",") > MAX_JSON_COMMAS:
        message = f"{host} sent a manifest of more than {MAX_JSON_COMMAS:,} values"
        raise RegistryError("too-large", message, host=host)
    try:
        document = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def _subject(document: dict[str, Any]) -> str:
    """Return the digest of the subject, "" without one or if it is malformed. The target, which gets the same bytes,
    decides what a malformed subject means."""
    subject = document.get("subject")
    digest = subject.get("digest") if isinstance(subject, dict) else None
    return digest if isinstance(digest, str) and is_digest(digest) else ""


def _media_type(document: dict[str, Any], content_type: str) -> str:
    """Return the manifest's own media type, else the header's without parameters, else the one that its fields
    imply."""
    for candidate in (document.get("mediaType"), content_type.partition(";")[0].strip()):
        if isinstance(candidate, str) and MEDIA_TYPE.fullmatch(candidate) and not _GENERAL.match(candidate):
            return candidate
    return OCI_INDEX if "manifests" in document else OCI_MANIFEST


def _descriptors(document: dict[str, Any], key: str, host: str) -> list[dict[str, Any]]:
    entries = document.get(key)
    if entries is None:
        return []
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise malformed(host)
    return entries


def _split(entries: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the manifests of an index, and the blobs that build caches store among them."""
    blobs = [entry for entry in entries if _is_layer(entry)]
    return [entry for entry in entries if not _is_layer(entry)], blobs


def _is_layer(entry: dict[str, Any]) -> bool:
    media_type = entry.get("mediaType")
    return isinstance(media_type, str) and _LAYER.search(media_type[:MAX_MEDIA_TYPE]) is not None


def _is_foreign(entry: dict[str, Any]) -> bool:
    """Return whether a layer must not be distributed, and specifies other URLs for nodes. A layer without URLs is
    copied, because a pull from the mirror would fail without it."""
    media_type, urls = entry.get("mediaType"), entry.get("urls")
    if not isinstance(media_type, str) or not _FOREIGN.fullmatch(media_type[:MAX_MEDIA_TYPE]):
        return False
    return isinstance(urls, list) and any(isinstance(u, str) and u.startswith(("https://", "http://")) for u in urls)
