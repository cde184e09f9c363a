"""What a copy is asked for, and what it answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mirrors.images import ImageRef
from mirrors.oci.common.access import RegistryAccess
from mirrors.oci.common.descriptors import Descriptor
from mirrors.oci.common.manifests import Manifest
from mirrors.oci.common.mount_index import Readers


@dataclass(frozen=True, slots=True)
class CopyRequest:
    """`target` carries the tag and digest of the pod's reference, as `source` does. `platforms` (`os/arch[/variant]`)
    narrow an index that is not pinned by digest. `target_is_new`: the repository was just created, so it is empty.

    `readers` are those who will be able to run the copy. With them, content of the target counts only where they may
    read it already or the source has delivered it; None trusts whatever the target has. `party` is on whose behalf it
    is copied: no party takes all places of the engine.

    `subject` makes it the copy of a referrer: the source, pinned by digest, has to name this digest as its subject, and
    is pushed without a tag. `max_bytes` of blobs are what a referrer may have beside the engine's own limit.

    `seen` is what the source was just seen to have under its reference, so that it need not be looked at again; a
    manifest is not read again either.

    `known` is what a copy with these platforms wrote before: the digest of the source's index, and of the target's, of
    which the source's need not be read again to know the other.

    `before_tag` is called right before each request that sets a tag at the target, on any thread. It may wait, and
    raises CopyCancelledError where this copy may not set it any more."""

    source: ImageRef
    target: ImageRef
    source_access: RegistryAccess
    target_access: RegistryAccess
    platforms: tuple[str, ...] = ()
    target_is_new: bool = False
    readers: Readers | None = None
    party: str = ""
    subject: str = ""
    seen: Descriptor | Manifest | None = None
    max_bytes: int | None = None
    known: tuple[str, str] | None = None
    before_tag: Callable[[], None] | None = None

    def __post_init__(self) -> None:
        if self.source.registry != self.source_access.host or self.target.registry != self.target_access.host:
            raise ValueError("a RegistryAccess must be for the registry of its reference")


@dataclass(frozen=True, slots=True)
class CopyResult:
    """Sizes in bytes of blobs. `target_digest` differs from `source_digest` when platforms were dropped. `target_tag`
    was set or found at the target. `platforms` are those of an index, () for a single manifest or when unchanged.
    `foreign` are digests of layers that are not at the target, as nodes read them from their own URLs. `unlisted` were
    pushed with a subject, and the target did not say that it lists them."""

    source_digest: str
    target_digest: str
    target_tag: str | None
    platforms: tuple[str, ...]
    bytes_total: int
    bytes_copied: int
    bytes_mounted: int
    bytes_skipped: int
    unchanged: bool
    foreign: tuple[str, ...] = ()
    unlisted: tuple[Manifest, ...] = ()
    manifests: tuple[str, ...] = ()
    """Digests of what the source's index lists, where it was read: of its platforms, and of attestations."""
