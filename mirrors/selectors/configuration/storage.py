"""The storage that mirrored images use in a target registry, as far as their sizes are known."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Count, Sum

from mirrors.models import ImageMapping, Registry


@dataclass(frozen=True, slots=True)
class StorageUsed:
    """Images at a target, those of them whose size is known, and the bytes of these; shared layers count each time."""

    images: int
    sized: int
    size_bytes: int


def storage_used(target: Registry) -> StorageUsed:
    """Reads all mappings of the target: with a million, it takes about a second."""
    rows = ImageMapping.objects.filter(target_registry=target, existence="present")
    found = rows.aggregate(images=Count("*"), sized=Count("size_bytes"), size_bytes=Sum("size_bytes"))
    return StorageUsed(images=found["images"], sized=found["sized"], size_bytes=found["size_bytes"] or 0)
