"""The registries that are the sources of mirrored images."""

from __future__ import annotations

from mirrors.images import ImageRef
from mirrors.models import ImageMapping


def mirrored_hosts(*, endpoint: str, prefix: str) -> list[str]:
    """Return the hosts of all sources with a mapping at a target, sorted. For commands, because it reads all
    mappings."""
    rows = ImageMapping.objects.filter(target_registry__endpoint=endpoint, target_registry__prefix=prefix)
    sources = rows.order_by().values_list("source", flat=True).iterator(chunk_size=2_000)
    return sorted({ImageRef.parse(source).registry for source in sources})
