"""Pods that name a mirror directly: is it the mirror of a private image that is not theirs to run?"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from mirrors.known import KnownMapping
from mirrors.reasons import Reason
from webhook import facts
from webhook.decision import Decision, Knowledge
from webhook.knowledge import Knowing
from webhook.memory import BoundedMap
from webhook.snapshot import Snapshot
from webhook.store import Store
from webhook.terms import Terms, await_result

REMEMBERED: Final = 30.0
"""Seconds for which a repository's mappings are not looked up again."""

PATIENCE: Final = 1.0


FOREIGN: Final = (
    "it is the mirror of a private image, and this namespace has not shown that it may read the source; "
    "name the image by its source, with a pull secret that reads it"
)


def is_foreign(decision: Decision) -> bool:
    """Whether the pod names a private mirror that is not its own."""
    return decision.reason is Reason.ACCESS_DENIED and decision.target == decision.source


class Guard:
    """One instance a process. Images that this webhook has swapped itself are known, and cost nothing."""

    def __init__(self, store: Store, knowing: Knowing) -> None:
        self._store = store
        self._knowing = knowing
        self._inside: BoundedMap[str, tuple[float, Sequence[KnownMapping]]] = BoundedMap(5_000)

    def look(self, decision: Decision, snapshot: Snapshot, terms: Terms) -> Decision:
        """The decision, or one with reason ``access-denied`` in its place."""
        if decision.reason is not Reason.ALREADY_AT_TARGET or decision.source is None:
            return decision
        if snapshot.policy.private_images not in {"guard", "enforce"}:
            return decision
        # Under the one name that rows have: the target may be known by several.
        mirror = replace(decision.source, registry=snapshot.policy.target.endpoint)
        own = self._store.row_at(str(mirror))
        owners = [own] if own is not None else self._owners(mirror.name, terms)
        if _guards(owners, snapshot, terms):
            return replace(decision, reason=Reason.ACCESS_DENIED)
        return decision

    def bars(self, decision: Decision, known: Knowledge, snapshot: Snapshot, terms: Terms) -> bool:
        """Whether an image of unknown provenance lies where another's private ones do: another tag of it, or the digest
        alone. Asked under ``always``, which swaps what is unknown."""
        policy = snapshot.policy
        if policy.swap_policy != "always" or policy.private_images == "mirror" or known.access != "unknown":
            return False
        if decision.target is None or known.granted:
            return False
        return _guards(self._owners(decision.target.name, terms), snapshot, terms)

    def _owners(self, repository: str, terms: Terms) -> Sequence[KnownMapping]:
        """All mappings of the repository: another tag, or the digest alone, is the same private image."""
        remembered = self._inside.get(repository)
        if remembered is not None and time.monotonic() - remembered[0] < REMEMBERED:
            return remembered[1]
        found = self._look_up(repository, terms) if terms.may_ask else None
        if found is None:
            return remembered[1] if remembered else ()
        self._inside.put(repository, (time.monotonic(), found))
        return found

    def _look_up(self, repository: str, terms: Terms) -> Sequence[KnownMapping] | None:
        """From the database; None where it does not answer, or too many wait already."""
        if not self._knowing.try_wait():
            return None
        try:
            return await_result(self._store.inside(repository), terms.left(PATIENCE))
        finally:
            self._knowing.end_wait()


def _guards(owners: Sequence[KnownMapping], snapshot: Snapshot, terms: Terms) -> bool:
    """Whether one of them is private, and not for the pod's namespace."""
    return any(facts.is_guarded(owner, snapshot, terms.namespace) for owner in owners)
