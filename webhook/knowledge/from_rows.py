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
from webhook.decision.decision import Decision, Knowledge
from webhook.decision.review_limits import ReviewLimits
from webhook.decision.snapshot import Snapshot
from webhook.knowledge.registry_prober import ProbeAnswer

CLOCK_SKEW: Final = 5.0
"""The assumed maximum difference between the clocks of database and webhook, in seconds."""

DENIED_FOR: Final = 600.0
"""Seconds after which access is checked again for a namespace whose pull secrets could not read an image."""


def of_row(decision: Decision, cached: CachedMapping | None, snapshot: Snapshot, limits: ReviewLimits) -> Knowledge:
    """Return the facts about a decision's image that follow from its row."""
    mapping = cached.known if cached else None
    if mapping is None:
        return Knowledge()
    age = time.time() - mapping.verified_at
    return Knowledge(
        existence=mapping.existence,
        mapping_id=mapping.mapping_id,
        access=mapping.access,
        **access_of(mapping, decision.source, snapshot, limits.namespace),
        stale=mapping.existence == "present" and age > _jittered(snapshot.config.existence.max_age, decision.key),
        obstacle=obstacle_of(mapping, decision.key, snapshot, limits),
        seconds_since_check=0.0 if mapping.job_is_live else time.time() - mapping.source_checked_at,
    )


def is_uncertain(cached: CachedMapping | None, known: Knowledge, snapshot: Snapshot) -> bool:
    """Return whether the target has to be queried before the decision."""
    if cached is None:
        return True
    if known.obstacle is not None or snapshot.policy.swap_policy == "always":
        return False
    return known.existence != "present" or is_too_old(cached.known, snapshot)


def differs(mapping: MappingSnapshot, answer: ProbeAnswer) -> bool:
    """Return whether the target has another digest than the one that was written, and no copy explains it: no job is
    queued or running, and the row was not updated by a job within the last ``CLOCK_SKEW`` seconds."""
    is_copied = mapping.job_is_live or time.time() - mapping.verified_at <= CLOCK_SKEW
    return is_tampered(written=mapping.target_digest, found=answer.digest, is_copied=is_copied)


def obstacle_of(mapping: MappingSnapshot, source: str, snapshot: Snapshot, limits: ReviewLimits) -> Reason | None:
    """Return the reason that rules out a swap regardless of other facts; None if there is no such reason."""
    if mapping.source != source:
        return Reason.TARGET_NAME_TAKEN
    if mapping.paused:
        return Reason.PAUSED
    if mapping.obstacle:
        return Reason(mapping.obstacle)
    if snapshot.config.platforms and lacking_platforms(mapping, limits.platforms):
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


def lacking_platforms(mapping: MappingSnapshot, wanted: Iterable[str]) -> set[str]:
    """Return the platforms of ``wanted`` (``os/arch``) that the mirror does not have; empty if the mirror's platforms
    are unknown."""
    return set(wanted) - base_platforms(mapping.platforms) if mapping.platforms else set()


def base_platforms(platforms: Iterable[str]) -> set[str]:
    """Return the platforms as ``os/arch``, without the variant, which a pod cannot specify."""
    return {"/".join(platform.split("/")[:2]) for platform in platforms}


def out_of_quota(known: Knowledge, cached: CachedMapping) -> Knowledge:
    """Return the facts with the obstacle ``quota``, because the namespace must not request new images. An image that is
    mirrored is not new, nor is one that has a queued or running job."""
    is_coming = cached.known is not None and cached.known.job_is_live
    if is_coming or known.existence == "present" or known.obstacle is not None:
        return known
    return replace(known, obstacle=Reason.QUOTA)


class Allowed(TypedDict):
    """The part of ``Knowledge`` about a namespace's access to an image."""

    granted: bool
    access_due: bool
    denied: bool


def access_of(mapping: MappingSnapshot, source: ImageRef | None, snapshot: Snapshot, namespace: str) -> Allowed:
    """Return whether a namespace of the snapshot's cluster is allowed to use an image that is not public, and whether
    its access has to be checked (again)."""
    if mapping.access not in NOT_PUBLIC or snapshot.policy.private_images == "mirror":
        return Allowed(granted=False, access_due=False, denied=False)
    requester = ClusterNamespace(snapshot.config.cluster_name, namespace)
    if mapping.access == "configured" and source is not None and snapshot.sources.serves(source, requester):
        return Allowed(granted=True, access_due=False, denied=False)
    grant = mapping.grants.get(requester)
    if grant is None:
        return Allowed(granted=False, access_due=True, denied=False)
    age = time.time() - grant.checked_at
    if not grant.granted:
        return Allowed(granted=False, access_due=age > DENIED_FOR, denied=True)
    holds = age < snapshot.config.access_age + snapshot.config.existence.max_stale
    return Allowed(
        granted=holds, access_due=age > _jittered(snapshot.config.access_age, mapping.source), denied=not holds
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
