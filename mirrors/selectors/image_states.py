"""How many images are in which state, as the list of mappings filters them."""

from __future__ import annotations

from typing import Final

from django.db.models import Q, Subquery

from mirrors.models import ImageMapping
from mirrors.selectors.kept import KeptAnswer
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

kept: Final[KeptAnswer[dict[str, int]]] = KeptAnswer()


def counts() -> dict[str, Subquery]:
    """For each counted state the number of images, for a query that has other numbers too."""
    return {state: _count(LISTED[state][1]) for state in COUNTED}


def _count(condition: Q) -> Subquery:
    return rows_counted(ImageMapping.objects.filter(condition))
