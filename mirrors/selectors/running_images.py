"""Images that run in clusters, and whether they are mirrored."""

from __future__ import annotations

from django.db.models import Exists, OuterRef, QuerySet

from mirrors.models import Existence, ImageMapping, RunningImage


def running_images(*, ended: bool = False) -> QuerySet[RunningImage]:
    """Those that are in a cluster now, or with ``ended`` all, with ``is_mirrored``: whether a target is known to have
    the source."""
    rows = RunningImage.objects.all() if ended else RunningImage.objects.current()
    present = ImageMapping.objects.filter(source=OuterRef("source"), existence=Existence.PRESENT)
    return rows.annotate(is_mirrored=Exists(present))
