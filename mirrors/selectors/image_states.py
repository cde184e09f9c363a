"""How many images are in which state, as the list of mappings filters them."""

from __future__ import annotations

import time
from typing import Final

from django.db.models import Q, Subquery

from mirrors.models import ImageMapping
from mirrors.selectors.mapping_states import STATES
from mirrors.selectors.subqueries import rows_counted

LISTED: Final[dict[str, tuple[str, Q]]] = {
    **{
        state: (state.capitalize(), STATES[state])
        for state in ("mirrored", "copying", "queued", "failed", "absent", "unknown", "paused")
    },
    "obstacle": ("Blocked: tampered or immutable", ~Q(obstacle="")),
}

COUNTED: Final = ("mirrored", "failed", "queued", "copying", "paused", "obstacle")
"""States that the dashboard shows. The mappings alone say most of them, in an index; of the others there are few."""


SLOW_SECONDS: Final = 0.05
"""A query with these counts that took longer is not repeated at once: each open page asks every 5 seconds."""

KEPT_FACTOR: Final = 100
"""The counts are kept for this many times its duration: then counting takes at most a hundredth of the time."""


class KeptCounts:
    """The last counts of a process, while counting again would be slow."""

    def __init__(self) -> None:
        self._until, self._counts = 0.0, dict.fromkeys(COUNTED, 0)

    def get(self) -> dict[str, int] | None:
        return self._counts if time.monotonic() < self._until else None

    def put(self, counts: dict[str, int], *, seconds: float) -> None:
        """``seconds`` is how long the query took."""
        if seconds > SLOW_SECONDS:
            self._until, self._counts = time.monotonic() + KEPT_FACTOR * seconds, counts

    def forget(self) -> None:
        self._until = 0.0


kept = KeptCounts()


def counts() -> dict[str, Subquery]:
    """For each counted state the number of images, for a query that has other numbers too."""
    return {state: _count(LISTED[state][1]) for state in COUNTED}


def _count(condition: Q) -> Subquery:
    return rows_counted(ImageMapping.objects.filter(condition))
