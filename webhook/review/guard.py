"""Guards private mirrors: a pod must not use the mirror of a private image that its namespace cannot read."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from mirrors.images import ImageRef
from mirrors.selectors.images.mapping_snapshot import MappingSnapshot
from mirrors.vocabulary.reasons import Reason
from webhook.database.lru_cache import LRUCache
from webhook.database.thread import DatabaseThread
from webhook.decision.decision import Decision, ImageFacts
from webhook.decision.review_limits import ReviewLimits
from webhook.decision.snapshot import Snapshot
from webhook.knowledge import from_rows
from webhook.knowledge.gatherer import FactsGatherer, NoSlotError

MAPPINGS_REMEMBERED_FOR: Final = 30.0
"""Seconds for which a repository's mappings are not looked up again."""

MOST_REPOSITORIES: Final = 5_000
"""The maximum number of repositories whose mappings are remembered (a few MB). Pods choose the names."""

PRIVATE_MIRROR_MESSAGE: Final = (
    "it is the mirror of a private image, and this namespace has no proven access to its source; "
    "refer to the image by its source, with a pull secret that can read it"
)


def names_private_mirror(decision: Decision) -> bool:
    """Return whether the pod names a private mirror that its namespace is not allowed to use."""
    return decision.reason is Reason.ACCESS_DENIED and decision.target == decision.source


class Guard:
    """Finds private mirrors that a pod must not use; one instance per process. Images that this webhook itself swapped
    are in memory, and need no query."""

    def __init__(self, database: DatabaseThread, gatherer: FactsGatherer) -> None:
        self._database = database
        self._gatherer = gatherer
        self._mappings_by_repository: LRUCache[str, tuple[float, Sequence[MappingSnapshot]]] = LRUCache(
            MOST_REPOSITORIES
        )

    def deny_private_mirrors(
        self, decisions: Sequence[Decision], snapshot: Snapshot, limits: ReviewLimits
    ) -> list[Decision]:
        """Return the decisions, with reason ``access-denied`` for images that the pod names at the target and that are
        private images of other namespaces."""
        named = {
            d.slot.pointer: _canonical_mirror(d, snapshot) for d in decisions if d.reason is Reason.ALREADY_AT_TARGET
        }
        if not named or snapshot.policy.private_images not in {"guard", "enforce"}:
            return list(decisions)
        cached = {name: row for ref in named.values() if (row := self._database.row_at(name := str(ref))) is not None}
        owners = self._owners((ref.name for ref in named.values() if str(ref) not in cached), limits)

        def is_denied(d: Decision) -> bool:
            ref = named.get(d.slot.pointer)
            if ref is None:
                return False
            rows = [cached[str(ref)]] if str(ref) in cached else owners.get(ref.name, ())
            return is_private_repository(rows, snapshot, limits)

        return [replace(d, reason=Reason.ACCESS_DENIED) if is_denied(d) else d for d in decisions]

    def deny_in_private_repositories(
        self, decisions: Sequence[Decision], facts: Mapping[str, ImageFacts], snapshot: Snapshot, limits: ReviewLimits
    ) -> dict[str, ImageFacts]:
        """Deny images of unknown provenance in a repository that holds a private image of other namespaces: they may be
        another tag of that image, or its digest. Only needed under ``always``, which swaps images of unknown state."""
        policy = snapshot.policy
        if policy.swap_policy != "always" or policy.private_images == "mirror":
            return {}
        names = {
            d.key: d.target.name
            for d in decisions
            if d.target is not None and facts[d.key].access == "unknown" and not facts[d.key].granted
        }
        owners = self._owners(names.values(), limits)
        denied = (key for key, name in names.items() if is_private_repository(owners.get(name, ()), snapshot, limits))
        return {key: replace(facts[key], denied=True) for key in denied}

    def _owners(self, repositories: Iterable[str], limits: ReviewLimits) -> dict[str, Sequence[MappingSnapshot]]:
        """Return the private mappings in each repository. They are looked up by repository because another tag, or a
        digest without a tag, can name the same private image."""
        owners: dict[str, Sequence[MappingSnapshot]] = {}
        missing: list[str] = []
        for name in dict.fromkeys(repositories):
            remembered = self._mappings_by_repository.get(name)
            if remembered is not None:
                owners[name] = remembered[1]
            if remembered is None or time.monotonic() - remembered[0] >= MAPPINGS_REMEMBERED_FOR:
                missing.append(name)
        if not missing or not limits.can_query:
            return owners
        try:
            found = self._gatherer.await_database(self._database.private_mappings_in(missing), limits)
        except NoSlotError:
            found = None
        if found is None:
            return owners
        by_name: dict[str, list[MappingSnapshot]] = {name: [] for name in missing}
        for row in found:
            by_name[ImageRef.parse(row.target).name].append(row)
        for name, rows in by_name.items():
            self._mappings_by_repository.put(name, (time.monotonic(), rows))
        return owners | by_name


def _canonical_mirror(decision: Decision, snapshot: Snapshot) -> ImageRef:
    """Return the image with the host name that rows use: the target may have several host names."""
    assert decision.source is not None
    return snapshot.policy.target.with_endpoint_host(decision.source)


def is_private_repository(owners: Sequence[MappingSnapshot], snapshot: Snapshot, limits: ReviewLimits) -> bool:
    """Return whether one of the mappings is private, and the pod's namespace is not allowed to use it."""
    return any(from_rows.is_guarded(owner, snapshot, limits.namespace) for owner in owners)
