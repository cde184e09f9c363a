"""Images of admitted pods: which of them coverage counts, and which are counted apart."""

from __future__ import annotations

from typing import NamedTuple

from django.db.models import Q

NOT_COUNTED = (
    "filtered",
    "filter-budget",
    "opted-out",
    "mirror-pod",
    "known-operator",
    "pull-policy-never",
    "too-many-images",
    "unchanged",
    "placeholder",
    "invalid-reference",
)
"""Reasons of images that nobody wants mirrored; coverage is the share of the others."""

EXCLUDED = ("filtered", "opted-out")
"""Reasons of images that a filter or an annotation excludes."""

MIRRORED = Q(decision="swap") | Q(reason="already-at-target")
_COUNTED = ~Q(reason__in=NOT_COUNTED) & Q(first_seen=False)
OF_ADMITTED = {
    "counted": _COUNTED,
    "mirrored": _COUNTED & MIRRORED,
    "first_seen": Q(first_seen=True),
    "excluded": Q(reason__in=EXCLUDED),
}
"""Which decisions each of these numbers counts. An image's first pod finds nothing to run from: it is counted apart."""


class Admitted(NamedTuple):
    """Images of admitted pods: those that coverage counts, those of them that run from the mirror, and apart from them
    images in their first pod and excluded images."""

    counted: int = 0
    mirrored: int = 0
    first_seen: int = 0
    excluded: int = 0

    def plus(self, other: Admitted) -> Admitted:
        return Admitted(*(one + more for one, more in zip(self, other, strict=True)))

    @property
    def coverage(self) -> float | None:
        return self.mirrored / self.counted if self.counted else None
