"""The outcome of a job that ended well: in words, and for its mapping. From values alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from django.db.models.functions import Now

from mirrors.jobs.copy.referrers import ReferrersReport
from mirrors.jobs.copy.source_access import SourceAccess
from mirrors.models import Access, Existence, ImageMapping, Obstacle
from mirrors.models.images.tampering import is_tampered, without_tampering
from mirrors.oci import CopyResult, Descriptor
from mirrors.vocabulary.bounds import LARGEST_BIG_INTEGER, within

MOST_MANIFESTS: Final = 64
"""Digests of one index that are kept: the largest real ones list some forty, attestations among them."""


@dataclass(frozen=True, slots=True)
class CopyOutcome:
    """The outcome in words, what is known of the mapping now, and what was learnt of namespaces."""

    words: str
    known: Mapping[str, Any]
    grants: Mapping[str, bool] = field(default_factory=dict)
    bytes_copied: int = 0
    unchanged: bool = False
    referrers: ReferrersReport = ReferrersReport()
    note: Callable[[], None] = lambda: None
    """Writes what was learnt of the repository, in the transaction that ends the job."""


def verified(mapping: ImageMapping, found: Descriptor | None) -> CopyOutcome:
    """Compare the image at the target with the one that was written there."""
    if found is None:
        known = {"existence": Existence.ABSENT, "verified_at": Now(), "obstacle": Obstacle.NONE}
        return CopyOutcome("the target does not have it: mirror it now, or wait for the next pod", known)
    present: dict[str, Any] = {"existence": Existence.PRESENT, "verified_at": Now()}
    written = mapping.target_digest
    if is_tampered(written=written, found=found.digest, is_copied=False):
        words = f"the target has {found.digest}, but {written} was written: find out who pushed it"
        return CopyOutcome(words, present | {"obstacle": Obstacle.TAMPERED})
    cleared = without_tampering(mapping.obstacle)
    return CopyOutcome(
        f"the target has it; {found.digest}", present | {"target_digest": found.digest, "obstacle": cleared}
    )


def copied(
    mapping: ImageMapping,
    source: SourceAccess,
    result: CopyResult,
    referrers: ReferrersReport,
    platforms: Sequence[str],
) -> CopyOutcome:
    """The image was copied, or the target had it already. ``platforms`` are those that were asked for; empty: all."""
    words = "nothing to do: the target already has it" if result.unchanged else "copied"
    return CopyOutcome(
        f"{words}; {result.target_digest}",
        {**_known(result, platforms), **referrers.known, **_access(mapping, source)},
        source.grants,
        result.bytes_copied,
        unchanged=result.unchanged,
        referrers=referrers,
    )


def pulled_through(mapping: ImageMapping, source: SourceAccess, digest: str) -> CopyOutcome:
    """The target is a pull-through cache, and has brought the image itself."""
    known = {
        "existence": Existence.PRESENT,
        "verified_at": Now(),
        "source_checked_at": Now(),
        "target_digest": digest,
        "obstacle": Obstacle.NONE,
    }
    words = f"not copied: the target is a pull-through cache, and has it; {digest}"
    return CopyOutcome(words, known | _access(mapping, source), source.grants, unchanged=True)


def _access(mapping: ImageMapping, source: SourceAccess) -> dict[str, Any]:
    """Keeps ``configured``: a namespace's pull secret must not replace access by the configured credentials."""
    if source.how == Access.SECRETS and mapping.access == Access.CONFIGURED:
        return {}
    return {"access": source.how}


def _known(result: CopyResult, platforms: Sequence[str]) -> dict[str, Any]:
    """Of an unchanged image the engine reports neither platforms nor sizes, and no size of one that the target had
    under another tag: what was known of them stays."""
    known = {
        "existence": Existence.PRESENT,
        "verified_at": Now(),
        "source_checked_at": Now(),
        "source_digest": result.source_digest,
        "target_digest": result.target_digest,
        "only_platforms": ",".join(platforms) if result.target_digest != result.source_digest else "",
        "obstacle": Obstacle.NONE,
    }
    if not result.unchanged:
        known |= {"platforms": list(result.platforms)}
    if result.manifests or not result.unchanged:
        # Some of the digests alone would make the others look like changed content.
        known |= {"manifests": list(result.manifests) if len(result.manifests) <= MOST_MANIFESTS else []}
    if result.bytes_total:
        known |= {"size_bytes": within(result.bytes_total, LARGEST_BIG_INTEGER)}
    return known
