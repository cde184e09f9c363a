"""Whether pods could start one image from only its mirror, and if not, why. Needs no database."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from mirrors.images import ImageRef
from mirrors.selectors.images.mapping_snapshot import MappingSnapshot
from mirrors.vocabulary.kept_reasons import explanation_of
from mirrors.vocabulary.reasons import REASON_MEANING as DECISIONS
from mirrors.vocabulary.reasons import Reason
from webhook.decision.decision import ImageFacts, access_obstacle
from webhook.decision.review_limits import ReviewLimits
from webhook.decision.snapshot import Snapshot
from webhook.knowledge.from_rows import access_of, missing_platforms, obstacle_of


class Gap(StrEnum):
    """The reason why an image is not protected."""

    UNKNOWN_SOURCE = "unknown-source"
    NOT_SWAPPED = "not-swapped"
    NOT_MIRRORED = "not-mirrored"
    BLOCKED = "blocked"
    NOT_VERIFIED = "not-verified"
    PLATFORM_MISSING = "platform-missing"
    NO_ACCESS = "no-access"
    WOULD_CHANGE = "would-change"
    NODES_UNTESTED = "nodes-untested"


GAP_MEANING: Final[dict[Gap, str]] = {
    Gap.UNKNOWN_SOURCE: "no mapping specifies its source",
    Gap.NOT_SWAPPED: "not swapped",
    Gap.NOT_MIRRORED: "the target does not have it",
    Gap.BLOCKED: "pods are not swapped to it",
    Gap.NOT_VERIFIED: "the target was not checked for it within the maximum age",
    Gap.PLATFORM_MISSING: "the mirror lacks a platform of the cluster's nodes",
    Gap.NO_ACCESS: "its source is private and this namespace has no access",
    Gap.WOULD_CHANGE: "the mirror has another digest than the one that runs",
    Gap.NODES_UNTESTED: "no node has been seen to pull from the target yet",
}

NEXT_STEP: Final[dict[Gap, str]] = {
    Gap.UNKNOWN_SOURCE: "Refer to the source image in the workload, or mirror the image from its source.",
    Gap.NOT_SWAPPED: "Remove the reason why new pods keep the source, or use the mirror's reference in the workload.",
    Gap.NOT_MIRRORED: "Mirror it.",
    Gap.BLOCKED: "Open its mapping and resolve what blocks it.",
    Gap.NOT_VERIFIED: "Verify its mapping; check that workers run and reach the target.",
    Gap.PLATFORM_MISSING: "Add the platform to platforms in the configuration and mirror it again. If its source lacks "
    "the platform too, bind the workload to nodes of another platform.",
    Gap.NO_ACCESS: "Add a pull secret that reads it to the namespace, or serve the namespace with configured "
    "credentials.",
    Gap.WOULD_CHANGE: "Restart the workload while its source can be reached, or pin the digest that runs.",
    Gap.NODES_UNTESTED: "Start a pod with a mirrored image. If it cannot be pulled, check the node's permissions and "
    "the network.",
}

MIRRORABLE: Final = frozenset({Gap.NOT_MIRRORED, Gap.NOT_VERIFIED, Gap.PLATFORM_MISSING})
"""Gaps that a copy closes: it copies the image, or confirms that the target has it."""


@dataclass(frozen=True, slots=True)
class IndexManifests:
    """The manifests that mirrored indexes list: ``sources`` are those whose lists are known; ``running`` are the
    pairs of source and running digest that are in these lists."""

    sources: Collection[str] = frozenset()
    running: Collection[tuple[str, str]] = frozenset()


@dataclass(frozen=True, slots=True)
class Conditions:
    """The conditions of a drill that are the same for all images. Times are in seconds."""

    snapshot: Snapshot
    now: float
    max_age: float
    platforms: frozenset[str] = frozenset()
    """``os/arch`` of the cluster's nodes."""
    nodes_have_pulled: bool = True
    reports_indexes: bool = False
    """Whether the container runtime of the cluster was observed to report the digests of indexes."""
    manifests: IndexManifests = field(default_factory=IndexManifests)
    allows_change: bool = False


@dataclass(frozen=True, slots=True)
class FoundGap:
    """The gap of an image, with details of this image. ``kept`` is the reason why the webhook keeps the source."""

    gap: Gap
    details: str = ""
    kept: str = ""


def kept_by_webhook(reason: str, details: str = "") -> FoundGap:
    """Return the gap of an image whose new pods would keep their source."""
    return FoundGap(Gap.NOT_SWAPPED, explanation_of(reason, details), reason)


def suspended(owner: tuple[str, str, str], source: ImageRef, conditions: Conditions) -> FoundGap | None:
    """Return the gap of an otherwise protected image if its swaps, or those of all images, are suspended; else None.
    ``owner`` has the namespace, kind and name of the workload."""
    policy, suspensions = conditions.snapshot.policy, conditions.snapshot.suspensions
    if suspensions.loops and suspensions.loops.get((*owner, str(source)), 0.0) > conditions.now:
        return kept_by_webhook(Reason.RESTART_LOOP)
    if policy.switched_off:
        return kept_by_webhook(Reason.SWITCHED_OFF)
    if policy.dry_run:
        return kept_by_webhook(Reason.DRY_RUN)
    return kept_by_webhook(Reason.TARGET_UNHEALTHY) if suspensions.target else None


def gap_of(
    source: ImageRef | None, mapping: MappingSnapshot | None, namespace: str, digest: str, conditions: Conditions
) -> FoundGap | None:
    """Return the gap of an image that runs with this digest in a namespace; None if it is protected."""
    if source is None:
        return FoundGap(Gap.UNKNOWN_SOURCE)
    if not conditions.snapshot.policy.allows_source(source.registry):
        return FoundGap(Gap.BLOCKED, DECISIONS[Reason.SOURCE_NOT_ALLOWED])
    if mapping is None:
        return FoundGap(Gap.NOT_MIRRORED)
    limits = ReviewLimits(deadline=0.0, namespace=namespace)
    if (obstacle := obstacle_of(mapping, str(source), conditions.snapshot, limits)) is not None:
        return FoundGap(Gap.BLOCKED, DECISIONS[obstacle])
    if mapping.existence != "present":
        return FoundGap(Gap.NOT_MIRRORED)
    if conditions.now - mapping.verified_at > conditions.max_age:
        return FoundGap(Gap.NOT_VERIFIED)
    if missing := missing_platforms(mapping, conditions.platforms):
        return FoundGap(Gap.PLATFORM_MISSING, ", ".join(sorted(missing)))
    return _of_namespace(source, mapping, namespace, digest, conditions)


def _of_namespace(
    source: ImageRef, mapping: MappingSnapshot, namespace: str, digest: str, conditions: Conditions
) -> FoundGap | None:
    """Return the gap of an image that the target has: access of the namespace, changed content, and untested nodes."""
    allowed = access_of(mapping, source, conditions.snapshot, namespace)
    knowledge = ImageFacts(existence="present", access=mapping.access, **allowed)
    if (obstacle := access_obstacle(knowledge, conditions.snapshot.policy)) is not None:
        meaning = DECISIONS[obstacle]
        return FoundGap(Gap.NO_ACCESS, "" if meaning == GAP_MEANING[Gap.NO_ACCESS] else meaning)
    if not conditions.allows_change and has_changed(source, mapping, digest, conditions):
        return FoundGap(Gap.WOULD_CHANGE)
    return None if conditions.nodes_have_pulled else FoundGap(Gap.NODES_UNTESTED)


def has_changed(source: ImageRef, mapping: MappingSnapshot, digest: str, conditions: Conditions) -> bool:
    """Return whether a new pod is known to get other content than the running digest.

    Some runtimes report the digest of a platform's manifest instead of the index. If the manifests of the mirrored
    index are not known, a difference is reported only if the cluster's runtime reports digests of indexes.
    """
    if not (digest and mapping.target_digest) or source.digest:
        return False
    if digest in (mapping.target_digest, mapping.source_digest):
        return False
    if mapping.source in conditions.manifests.sources:
        return (mapping.source, digest) not in conditions.manifests.running
    return conditions.reports_indexes or not mapping.platforms
