"""Images that run in clusters, and whether they are mirrored."""

from __future__ import annotations

from typing import Final

from django.db.models import BooleanField, Exists, OuterRef, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce

from mirrors.models import Existence, ImageMapping, RunningImage

_PRESENT: Final = ImageMapping.objects.filter(source=OuterRef("source"), existence=Existence.PRESENT)


def running_images(*, include_ended: bool = False) -> QuerySet[RunningImage]:
    """Return the images that are in a cluster now, or with ``include_ended`` all images, annotated with
    ``is_mirrored``: whether a target is known to have the source."""
    rows = RunningImage.objects.all() if include_ended else RunningImage.objects.current()
    # For an EXISTS among the columns, Postgres would read all mappings. It evaluates this subquery only for the rows of
    # a page.
    is_present = Subquery(_PRESENT.values(yes=Value(True))[:1], output_field=BooleanField())
    return rows.annotate(is_mirrored=Coalesce(is_present, Value(False)))


def only_mirrored(rows: QuerySet[RunningImage], *, mirrored: bool) -> QuerySet[RunningImage]:
    """Return the rows whose source a target is known to have, or with ``mirrored=False`` the others."""
    return rows.filter(Exists(_PRESENT) if mirrored else ~Exists(_PRESENT))
