"""Descriptors: references to content by digest, media type and size, as in manifests. Pure, no I/O."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Any, Final

from mirrors.oci.common.errors import RegistryError

MAX_MEDIA_TYPE: Final = 255
"""The maximum length of a media type in characters (RFC 6838 section 4.2)."""

MAX_BLOB_BYTES: Final = 1 << 50
"""A petabyte. A larger size is not plausible, and sums of such sizes fit no database column."""

MEDIA_TYPE = re.compile(r"[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}")
_PARAMETER = r'[ \t]*[A-Za-z0-9!#$&^_.+-]+=(?:[A-Za-z0-9!#$&^_.+-]+|"[^"\\\x00-\x1f\x7f]*")[ \t]*'
_PARAMETERS = re.compile(f"{_PARAMETER}(?:;{_PARAMETER})*")
"""The parameters of a media type after its semicolon (RFC 9110 section 8.3.1), as in
`application/vnd.cyclonedx+json;version=1.6`."""

MAX_PARAMETERS: Final = 255
"""The maximum length of all parameters in characters; real ones have about 15."""

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}")


@dataclass(frozen=True, slots=True)
class Descriptor:
    """A reference to content. `size` is in bytes, None if the registry specified none; `media_type` is without
    parameters."""

    digest: str
    media_type: str
    size: int | None


def is_digest(text: str) -> bool:
    return _DIGEST.fullmatch(text) is not None


def contradicts(reported: str, reference: str) -> bool:
    """Return whether `reported`, the digest that a registry reports, is not the one that the reference names. Digests
    of different algorithms do not contradict each other, because they may be of the same content."""
    algorithm = reference.partition(":")[0]
    return is_digest(reference) and reported.partition(":")[0] == algorithm and reported != reference


def digest_of(raw: bytes, algorithm: str = "sha256") -> str:
    return f"{algorithm}:{hashlib.new(algorithm, raw).hexdigest()}"


def descriptor_of(entry: dict[str, Any], host: str) -> Descriptor:
    """Return the descriptor in an entry of a manifest. Raises RegistryError `invalid` if it is malformed."""
    digest, size, media_type = entry.get("digest"), entry.get("size"), entry.get("mediaType")
    if not isinstance(digest, str) or not is_digest(digest):
        raise malformed(host)
    if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size <= MAX_BLOB_BYTES:
        raise malformed(host)
    return Descriptor(digest, _essence(media_type, host) if media_type else "", size)


def _essence(media_type: object, host: str) -> str:
    """Return a media type without its parameters. Raises RegistryError `invalid` if it is malformed."""
    if not isinstance(media_type, str):
        raise malformed(host)
    essence, semicolon, parameters = media_type.partition(";")
    if semicolon and (len(parameters) > MAX_PARAMETERS or not _PARAMETERS.fullmatch(parameters)):
        raise malformed(host)
    essence = essence.rstrip(" \t") if semicolon else essence
    if not MEDIA_TYPE.fullmatch(essence):
        raise malformed(host)
    return essence


def artifact_type_of(document: dict[str, Any]) -> str:
    """Return the `artifactType` of a manifest or descriptor, else the type of its config."""
    config = document.get("config")
    own_type = document.get("artifactType")
    artifact_type = own_type or (config.get("mediaType") if isinstance(config, dict) else None)
    return artifact_type if isinstance(artifact_type, str) and MEDIA_TYPE.fullmatch(artifact_type) else ""


def annotations_of(document: dict[str, Any]) -> dict[str, str]:
    """Return the annotations of a manifest or descriptor that are strings, as the specification requires."""
    annotations = document.get("annotations")
    return {k: v for k, v in annotations.items() if isinstance(v, str)} if isinstance(annotations, dict) else {}


def malformed(host: str) -> RegistryError:
    return RegistryError("invalid", f"{host} sent a manifest with a malformed descriptor", host=host)
