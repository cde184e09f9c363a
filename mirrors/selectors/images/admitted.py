"""Images of admitted pods: which of them count towards coverage, and which are counted separately."""

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
"""Reasons of images that do not count towards coverage, because they are not meant to be mirrored."""

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
"""The decisions that each number of ``Admitted`` counts. Images in their first pod are counted separately, because they
cannot be mirrored yet."""


class Admitted(NamedTuple):
    """Numbers of images of admitted pods: those that count towards coverage, those of them that run from the mirror,
    and separately images in their first pod and excluded images."""

    counted: int = 0
    mirrored: int = 0
    first_seen: int = 0
    excluded: int = 0

    def plus(self, other: Admitted) -> Admitted:
        return Admitted(*(one + more for one, more in zip(self, other, strict=True)))

    @property
    def coverage(self) -> float | None:
        return self.mirrored / self.counted if self.counted else None
