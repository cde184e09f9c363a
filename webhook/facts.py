"""What a mapping's row says of an image, before anybody is asked. No database, no network."""

from __future__ import annotations

import time
import zlib
from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from mirrors.known import KnownMapping
from webhook.decision import Decision, Knowledge
from webhook.existence import Answer
from webhook.following import Row
from webhook.reasons import Reason
from webhook.snapshot import Snapshot
from webhook.terms import Terms

COPY_ENDED: Final = 5.0
"""Seconds."""


def of_row(decision: Decision, row: Row | None, snapshot: Snapshot, terms: Terms) -> Knowledge:
    """What is known of a decision's image by its row alone."""
    known = row.known if row else None
    if known is None:
        return Knowledge()
    age = time.time() - known.verified_at
    return Knowledge(
        existence=known.existence,
        mapping_id=known.mapping_id,
        access=known.access,
        granted=known.access == "configured" and _is_served(decision, snapshot, terms.namespace),
        stale=known.existence == "present" and age > _jittered(snapshot.config.existence.max_age, decision.key),
        obstacle=_obstacle(known, decision.key, snapshot, terms),
    )


def is_uncertain(row: Row | None, known: Knowledge, snapshot: Snapshot) -> bool:
    """Whether there is cause to ask before deciding."""
    if row is None:
        return True
    if known.obstacle is not None or snapshot.policy.swap_policy == "always":
        return False
    return known.existence != "present" or is_too_old(row.known, snapshot)


def differs(row: KnownMapping, answer: Answer) -> bool:
    """Whether the target has another digest than was written, and no copy explains it: none is under way, or has
    ended since the target was asked (a few seconds, as the clocks of database and webhook differ)."""
    is_settled = not row.job_is_live and time.time() - row.verified_at > COPY_ENDED
    written = row.target_digest and is_settled
    return bool(written and answer.digest and answer.digest != row.target_digest)


def _obstacle(known: KnownMapping, source: str, snapshot: Snapshot, terms: Terms) -> Reason | None:
    """What rules a swap out, whatever else is known."""
    if known.source != source:
        return Reason.TARGET_NAME_TAKEN
    if known.paused:
        return Reason.PAUSED
    if known.obstacle:
        return Reason(known.obstacle)
    if snapshot.config.platforms and known.platforms and terms.platforms - _base(known.platforms):
        return Reason.PLATFORM_NOT_MIRRORED
    return None


def _base(platforms: Iterable[str]) -> set[str]:
    """``os/arch`` without the variant, which a pod can't ask for."""
    return {"/".join(platform.split("/")[:2]) for platform in platforms}


def out_of_quota(known: Knowledge, row: Row) -> Knowledge:
    """Nothing new for this namespace; what others have ordered already is on its way."""
    is_coming = row.known is not None and row.known.job_is_live
    return known if is_coming or known.obstacle is not None else replace(known, obstacle=Reason.QUOTA)


def _is_served(decision: Decision, snapshot: Snapshot, namespace: str) -> bool:
    """Whether the configured log-in of the source serves private images to pods of this namespace."""
    return decision.source is not None and snapshot.sources.serves(decision.source, namespace)


def is_too_old(known: KnownMapping | None, snapshot: Snapshot) -> bool:
    """Whether the last answer of the target is past ``maxStale``."""
    return known is None or time.time() - known.verified_at > snapshot.config.existence.max_stale


def _jittered(seconds: float, source: str) -> float:
    """Spread over ±10 %, so that images verified together are not verified together again."""
    return seconds * (0.9 + 0.2 * (zlib.crc32(source.encode()) % 1_000) / 1_000)
