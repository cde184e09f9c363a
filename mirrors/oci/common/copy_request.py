"""The request and the result of a copy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mirrors.images import ImageRef
from mirrors.oci.common.access import RegistryAccess
from mirrors.oci.common.descriptors import Descriptor
from mirrors.oci.common.manifests import Manifest
from mirrors.oci.common.mount_index import Audience


@dataclass(frozen=True, slots=True)
class CopyRequest:
    """A request to copy one image. `target` has the tag and digest of the pod's reference, as `source` does.
    `platforms` (`os/arch[/variant]`) restrict an index that is not pinned by digest. `target_is_new`: the repository
    was just created, so it is empty.

    `audience` will be able to run the copy. With it, content of the target counts only if it can read that already or
    the source has delivered it; None trusts all content of the target. `party` is the party on whose behalf the image
    is copied: no party can occupy all threads of the engine.

    `subject` makes this the copy of a referrer: the source, pinned by digest, must name this digest as its subject, and
    is pushed without a tag. `max_bytes` limits the blobs of a referrer, in addition to the engine's own limit.

    `prefetched` is the source's manifest or descriptor under this reference if the caller has just requested it. The
    copy does not look it up again, and does not read a manifest again.

    `previous_digests` are two digests of an earlier copy with these platforms: that of the source's index, and that of
    the index which the copy wrote to the target. If both are unchanged, the copy does not read the source's index.

    `before_tag` is called right before each request that sets a tag at the target, on any thread. It may wait, and
    raises CopyCancelledError if this copy is no longer allowed to set the tag."""

    source: ImageRef
    target: ImageRef
    source_access: RegistryAccess
    target_access: RegistryAccess
    platforms: tuple[str, ...] = ()
    target_is_new: bool = False
    audience: Audience | None = None
    party: str = ""
    subject: str = ""
    prefetched: Descriptor | Manifest | None = None
    max_bytes: int | None = None
    previous_digests: tuple[str, str] | None = None
    before_tag: Callable[[], None] | None = None

    def __post_init__(self) -> None:
        if self.source.registry != self.source_access.host or self.target.registry != self.target_access.host:
            raise ValueError("a RegistryAccess must be for the registry of its reference")


@dataclass(frozen=True, slots=True)
class CopyResult:
    """The result of a copy. Sizes are the bytes of blobs. `target_digest` differs from `source_digest` if platforms
    were dropped. `target_tag` was set or found at the target. `platforms` are those of an index, () for a single
    manifest or if the source was not read. `foreign` are digests of layers that are not at the target, because nodes
    read them from other URLs. `unlisted` were pushed with a subject, and the target did not confirm that it lists
    them."""

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
    """The digests that the source's index lists, if it was read: those of its platforms and of attestations."""
