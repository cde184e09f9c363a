"""How many images are in which state, as the list of mappings filters them."""

from __future__ import annotations

from typing import Final

from django.db.models import F, Func, IntegerField, Q, Subquery

from mirrors.models import ImageMapping

OPEN: Final = Q(paused=False, obstacle="")
"""Neither paused nor blocked: then the state is that of the copy."""

STATES: Final[dict[str, tuple[str, Q]]] = {
    "mirrored": ("Mirrored", OPEN & Q(existence="present")),
    "copying": ("Copying", OPEN & ~Q(existence="present") & Q(last_job__status="running")),
    "queued": ("Queued", OPEN & ~Q(existence="present") & Q(last_job__status="pending")),
    "failed": ("Failed", OPEN & ~Q(existence="present") & Q(last_job__status="failed")),
    "absent": ("Absent", Q(existence="absent")),
    "paused": ("Paused", Q(paused=True)),
    "obstacle": ("Blocked: tampered or immutable", ~Q(obstacle="")),
}

COUNTED: Final = ("mirrored", "failed", "queued", "copying", "paused", "obstacle")
"""States that the dashboard shows. The mappings alone say most of them, in an index; of the others there are few."""


def counts() -> dict[str, Subquery]:
    """For each counted state the number of images, for a query that has other numbers too."""
    return {state: _count(STATES[state][1]) for state in COUNTED}


def _count(condition: Q) -> Subquery:
    number = Func(F("pk"), function="COUNT", output_field=IntegerField())
    # A function and no aggregate: a count by group would have no row where there is nothing.
    return Subquery(ImageMapping.objects.filter(condition).order_by().annotate(n=number).values("n"))
