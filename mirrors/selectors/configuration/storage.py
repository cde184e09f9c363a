"""The storage that mirrored images use in a target registry, as far as their sizes are known."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Count, Sum

from mirrors.models import ImageMapping, Registry


@dataclass(frozen=True, slots=True)
class StorageUsed:
    """The number of images at a target, the number of those whose size is known, and the sum of these sizes. A layer
    that images share is counted once per image."""

    images: int
    sized: int
    size_bytes: int


def storage_used(target: Registry) -> StorageUsed:
    """Return the storage used at a target. This reads all its mappings: with a million, it takes about a second."""
    rows = ImageMapping.objects.filter(target_registry=target, existence="present")
    totals = rows.aggregate(images=Count("*"), sized=Count("size_bytes"), size_bytes=Sum("size_bytes"))
    return StorageUsed(images=totals["images"], sized=totals["sized"], size_bytes=totals["size_bytes"] or 0)
