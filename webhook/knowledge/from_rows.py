"""Facts about an image that follow from the row of its mapping. No database, no network."""

from __future__ import annotations

import time
import zlib
from collections.abc import Iterable
from dataclasses import replace
from typing import Final, TypedDict

from mirrors.images import ImageRef
from mirrors.models import NOT_PUBLIC
from mirrors.models.images.tampering import is_tampered
from mirrors.selectors.images.mapping_snapshot import MappingSnapshot
from mirrors.vocabulary.clusters import ClusterNamespace
from mirrors.vocabulary.reasons import Reason
from webhook.database.mapping_cache import CachedMapping
from webhook.decision.decision import Decision, ImageFacts
from webhook.decision.review_limits import ReviewLimits
from webhook.decision.snapshot import Snapshot
from webhook.knowledge.registry_prober import ProbeResult

CLOCK_SKEW: Final = 5.0
"""The assumed maximum difference between the clocks of database and webhook, in seconds."""

DENIED_FOR: Final = 600.0
"""Seconds after which access is checked again for a namespace whose pull secrets could not read an image."""


def facts_of_row(
    decision: Decision, cached: CachedMapping | None, snapshot: Snapshot, limits: ReviewLimits
) -> ImageFacts:
    """Return the facts about a decision's image that follow from its row."""
    mapping = cached.mapping if cached else None
    if mapping is None:
        return ImageFacts()
    age = time.time() - mapping.verified_at
    return ImageFacts(
        existence=mapping.existence,
        mapping_id=mapping.mapping_id,
        access=mapping.access,
        **access_of(mapping, decision.source, snapshot, limits.namespace),
        stale=mapping.existence == "present" and age > _jittered(snapshot.config.existence.max_age, decision.key),
        obstacle=obstacle_of(mapping, decision.key, snapshot, limits),
        seconds_since_check=0.0 if mapping.job_is_live else time.time() - mapping.source_checked_at,
    )


def is_uncertain(cached: CachedMapping | None, facts: ImageFacts, snapshot: Snapshot) -> bool:
    """Return whether the target has to be queried before the decision."""
    if cached is None:
        return True
    if facts.obstacle is not None or snapshot.policy.swap_policy == "always":
        return False
    return facts.existence != "present" or is_too_old(cached.mapping, snapshot)


def digest_differs(mapping: MappingSnapshot, result: ProbeResult) -> bool:
    """Return whether the target has another digest than the one that was written, and no copy explains it: no job is
    queued or running, and the row was not updated by a job within the last ``CLOCK_SKEW`` seconds."""
    is_copied = mapping.job_is_live or time.time() - mapping.verified_at <= CLOCK_SKEW
    return is_tampered(written=mapping.target_digest, found=result.digest, is_copied=is_copied)


def obstacle_of(mapping: MappingSnapshot, source: str, snapshot: Snapshot, limits: ReviewLimits) -> Reason | None:
    """Return the reason that rules out a swap regardless of other facts; None if there is no such reason."""
    if mapping.source != source:
        return Reason.TARGET_NAME_TAKEN
    if mapping.paused:
        return Reason.PAUSED
    if mapping.obstacle:
        return Reason(mapping.obstacle)
    if snapshot.config.platforms and missing_platforms(mapping, limits.platforms):
        return Reason.PLATFORM_NOT_MIRRORED
    if (
        not limits.platforms
        and snapshot.node_platforms is not None
        and _may_miss_nodes(mapping, snapshot.node_platforms)
    ):
        return Reason.PLATFORM_NOT_MIRRORED
    return None


def _may_miss_nodes(mapping: MappingSnapshot, nodes: Iterable[str]) -> bool:
    """Return whether a pod could be scheduled to a node for whose platform the image was not copied. Without a limit
    of platforms, the copy is complete: a platform that the source does not have either is not missing."""
    copied_for = base_platforms(mapping.only_platforms)
    return bool(copied_for) and not (base_platforms(nodes) or {"unknown"}) <= copied_for


def missing_platforms(mapping: MappingSnapshot, required: Iterable[str]) -> set[str]:
    """Return the platforms of ``required`` (``os/arch``) that the mirror does not have; empty if the mirror's platforms
    are unknown."""
    return set(required) - base_platforms(mapping.platforms) if mapping.platforms else set()


def base_platforms(platforms: Iterable[str]) -> set[str]:
    """Return the platforms as ``os/arch``, without the variant, which a pod cannot specify."""
    return {"/".join(platform.split("/")[:2]) for platform in platforms}


def out_of_quota(facts: ImageFacts, cached: CachedMapping) -> ImageFacts:
    """Return the facts with the obstacle ``quota``, because the namespace must not request new images. An image that is
    mirrored is not new, nor is one that has a queued or running job."""
    is_copying = cached.mapping is not None and cached.mapping.job_is_live
    if is_copying or facts.existence == "present" or facts.obstacle is not None:
        return facts
    return replace(facts, obstacle=Reason.QUOTA)


class AccessFacts(TypedDict):
    """The part of ``ImageFacts`` about a namespace's access to an image."""

    granted: bool
    access_due: bool
    denied: bool


def access_of(mapping: MappingSnapshot, source: ImageRef | None, snapshot: Snapshot, namespace: str) -> AccessFacts:
    """Return whether a namespace of the snapshot's cluster is allowed to use an image that is not public, and whether
    its access has to be checked (again)."""
    if mapping.access not in NOT_PUBLIC or snapshot.policy.private_images == "mirror":
        return AccessFacts(granted=False, access_due=False, denied=False)
    requester = ClusterNamespace(snapshot.config.cluster_name, namespace)
    if mapping.access == "configured" and source is not None and snapshot.sources.serves(source, requester):
        return AccessFacts(granted=True, access_due=False, denied=False)
    grant = mapping.grants.get(requester)
    if grant is None:
        return AccessFacts(granted=False, access_due=True, denied=False)
    age = time.time() - grant.checked_at
    if not grant.granted:
        return AccessFacts(granted=False, access_due=age > DENIED_FOR, denied=True)
    is_valid = age < snapshot.config.access_age + snapshot.config.existence.max_stale
    return AccessFacts(
        granted=is_valid, access_due=age > _jittered(snapshot.config.access_age, mapping.source), denied=not is_valid
    )


def is_guarded(mapping: MappingSnapshot, snapshot: Snapshot, namespace: str) -> bool:
    """Return whether the mirror is known to be private and this namespace is not allowed to use it. An image that could
    not be read and was never mirrored possibly does not exist: it makes no other tag of its repository private."""
    was_mirrored = mapping.existence == "present" or mapping.target_digest
    if mapping.access not in NOT_PUBLIC or (mapping.access == "unreadable" and not was_mirrored):
        return False
    return not access_of(mapping, ImageRef.parse(mapping.source), snapshot, namespace)["granted"]


def is_too_old(mapping: MappingSnapshot | None, snapshot: Snapshot) -> bool:
    """Return whether the last answer of the target is older than ``maxStale``."""
    return mapping is None or time.time() - mapping.verified_at > snapshot.config.existence.max_stale


def _jittered(seconds: float, source: str) -> float:
    """Return the duration with a jitter of ±10 %, so that images checked at the same time are not all due at the same
    time again."""
    return seconds * (0.9 + 0.2 * (zlib.crc32(source.encode()) % 1_000) / 1_000)
