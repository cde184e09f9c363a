"""The outcome of a job that succeeded: in words, and as new values of its mapping. Needs no database."""

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
"""The maximum number of an index's digests that are stored. The largest real indexes list about forty, including
attestations."""


@dataclass(frozen=True, slots=True)
class CopyOutcome:
    """The outcome in words (``summary``), the new values of the mapping (``new_values``), and whether the pull secrets
    of namespaces read the source (``grants``)."""

    summary: str
    new_values: Mapping[str, Any]
    grants: Mapping[str, bool] = field(default_factory=dict)
    bytes_copied: int = 0
    unchanged: bool = False
    referrers: ReferrersReport = ReferrersReport()
    write_repository: Callable[[], None] = lambda: None
    """Records the state of the target repository, in the transaction that ends the job."""


def verified(mapping: ImageMapping, descriptor: Descriptor | None) -> CopyOutcome:
    """Return the outcome of comparing the image at the target with the one that was written there."""
    if descriptor is None:
        new_values = {"existence": Existence.ABSENT, "verified_at": Now(), "obstacle": Obstacle.NONE}
        return CopyOutcome("the target does not have it: mirror it now, or wait for the next pod", new_values)
    present: dict[str, Any] = {"existence": Existence.PRESENT, "verified_at": Now()}
    written = mapping.target_digest
    if is_tampered(written=written, found=descriptor.digest, is_copied=False):
        summary = f"the target has {descriptor.digest}, but {written} was written: find out who pushed it"
        return CopyOutcome(summary, present | {"obstacle": Obstacle.TAMPERED})
    cleared = without_tampering(mapping.obstacle)
    return CopyOutcome(
        f"the target has it; {descriptor.digest}", present | {"target_digest": descriptor.digest, "obstacle": cleared}
    )


def copied(
    mapping: ImageMapping,
    source: SourceAccess,
    result: CopyResult,
    referrers: ReferrersReport,
    platforms: Sequence[str],
) -> CopyOutcome:
    """Return the outcome of a copy, also if the target had the image already. ``platforms`` are the requested ones;
    empty: all."""
    summary = "nothing to do: the target already has it" if result.unchanged else "copied"
    return CopyOutcome(
        f"{summary}; {result.target_digest}",
        {**_values_after_copy(result, platforms), **referrers.new_values, **_access(mapping, source)},
        source.grants,
        result.bytes_copied,
        unchanged=result.unchanged,
        referrers=referrers,
    )


def pulled_through(mapping: ImageMapping, source: SourceAccess, digest: str) -> CopyOutcome:
    """Return the outcome of a request to a pull-through cache, which has fetched the image itself."""
    new_values = {
        "existence": Existence.PRESENT,
        "verified_at": Now(),
        "source_checked_at": Now(),
        "target_digest": digest,
        "obstacle": Obstacle.NONE,
    }
    summary = f"not copied: the target is a pull-through cache, and has it; {digest}"
    return CopyOutcome(summary, new_values | _access(mapping, source), source.grants, unchanged=True)


def _access(mapping: ImageMapping, source: SourceAccess) -> dict[str, Any]:
    """Return the new value of ``access``. ``configured`` is kept: a namespace's pull secret must not replace access by
    the configured credentials."""
    if source.kind == Access.SECRETS and mapping.access == Access.CONFIGURED:
        return {}
    return {"access": source.kind}


def _values_after_copy(result: CopyResult, platforms: Sequence[str]) -> dict[str, Any]:
    """Return the new values of the mapping after a copy. The engine reports neither platforms nor sizes of an unchanged
    image, and no size of an image that the target had under another tag: then the stored values are kept."""
    new_values = {
        "existence": Existence.PRESENT,
        "verified_at": Now(),
        "source_checked_at": Now(),
        "source_digest": result.source_digest,
        "target_digest": result.target_digest,
        "only_platforms": ",".join(platforms) if result.target_digest != result.source_digest else "",
        "obstacle": Obstacle.NONE,
    }
    if not result.unchanged:
        new_values |= {"platforms": list(result.platforms)}
    if result.manifests or not result.unchanged:
        # Store all digests or none: with only some of them, the others would look like changed content.
        new_values |= {"manifests": list(result.manifests) if len(result.manifests) <= MOST_MANIFESTS else []}
    if result.bytes_total:
        new_values |= {"size_bytes": within(result.bytes_total, LARGEST_BIG_INTEGER)}
    return new_values
