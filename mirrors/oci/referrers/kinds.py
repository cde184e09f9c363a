"""Which referrers a policy includes, and the tags under which registries without the referrers API store them. Pure.

Follows the OCI distribution specification 1.1 (referrers tag schema) and cosign's specification of signatures.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from mirrors.oci.common.manifests import OCI_MANIFEST, Manifest

ReferrerPolicy = Literal["none", "signatures", "all"]

SIGSTORE_BUNDLE: Final = "application/vnd.dev.sigstore.bundle"
"""The prefix of the artifact types of all versions of the bundle: signatures, and signed attestations."""

SIGNATURE_TYPES: Final = (
    SIGSTORE_BUNDLE,
    "application/vnd.dev.cosign.artifact.sig.",
    "application/vnd.dev.cosign.simplesigning.",
    "application/vnd.cncf.notary.signature",
)
"""The prefixes of the artifact types of signatures: cosign and Notary Project, of any version."""

SIGNED_TYPES: Final = (*SIGNATURE_TYPES, "application/vnd.dev.cosign.artifact.att.")
"""The prefixes of the artifact types of signatures and of attestations, which are signed statements about an image."""

SIGNED_PREDICATE: Final = "https://sigstore.dev/cosign/sign/"
"""The prefix of the predicate type of a bundle that only states that the image is signed."""

UNSPECIFIC_TYPES: Final = frozenset(
    {
        "",
        "application/vnd.oci.empty.v1+json",
        "application/vnd.oci.image.config.v1+json",
        "application/vnd.docker.container.image.v1+json",
    }
)
"""Artifact types that do not identify the kind of a manifest: none, and those of configs that any artifact may have."""

SIGNATURE_SUFFIX: Final = "sig"
_SUFFIXES: Final[Mapping[ReferrerPolicy, tuple[str, ...]]] = {
    "none": (),
    "signatures": (SIGNATURE_SUFFIX, "att"),
    "all": (SIGNATURE_SUFFIX, "att", "sbom"),
}
"""The suffixes of cosign's tags. Attestations are signed statements; an SBOM is not signed."""

MAX_TAG_CHARACTERS: Final = 128
"""The maximum length of a tag (distribution specification)."""


@dataclass(frozen=True, slots=True)
class Referrer:
    """A manifest that names another one as its subject, as lists of referrers describe it. `size` is in bytes."""

    digest: str
    media_type: str
    size: int
    artifact_type: str = ""
    annotations: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, manifest: Manifest) -> Referrer:
        return cls(
            manifest.digest, manifest.media_type, len(manifest.raw), manifest.artifact_type, manifest.annotations
        )

    @property
    def entry(self) -> dict[str, Any]:
        """The descriptor of the referrer in an index."""
        entry: dict[str, Any] = {
            "mediaType": self.media_type or OCI_MANIFEST,
            "digest": self.digest,
            "size": self.size,
            "artifactType": self.artifact_type,
            "annotations": dict(self.annotations),
        }
        return {key: value for key, value in entry.items() if value not in ("", {})}

    @property
    def has_type(self) -> bool:
        return self.artifact_type not in UNSPECIFIC_TYPES

    @property
    def is_signature(self) -> bool:
        """Whether the referrer signs its subject, and is not a statement about it."""
        predicate = self.annotations.get("dev.sigstore.bundle.predicateType", SIGNED_PREDICATE)
        return self.artifact_type.startswith(SIGNATURE_TYPES) and predicate.startswith(SIGNED_PREDICATE)

    def is_included(self, policy: ReferrerPolicy) -> bool:
        return policy == "all" or (policy == "signatures" and self.artifact_type.startswith(SIGNED_TYPES))


def fallback_tag(digest: str) -> str:
    """Return the tag of the index of a manifest's referrers at a registry without the referrers API."""
    algorithm, _, hexadecimal = digest.partition(":")
    return f"{algorithm[:32]}-{hexadecimal[:64]}"


def cosign_tags(digest: str, policy: ReferrerPolicy) -> tuple[str, ...]:
    """Return the tags under which cosign stores the referrers of a manifest, unless it uses the referrers API."""
    base = digest.replace(":", "-")
    tags = (f"{base}.{suffix}" for suffix in _SUFFIXES[policy])
    return tuple(tag for tag in tags if len(tag) <= MAX_TAG_CHARACTERS)
