"""The registries that a cluster's images come from."""

from __future__ import annotations

from mirrors.images import ImageRef
from mirrors.models import ImageMapping


def mirrored_hosts(*, endpoint: str, prefix: str) -> list[str]:
    """Hosts of the sources that have a mapping at a target, sorted. Reads each mapping's name: for commands."""
    rows = ImageMapping.objects.filter(target_registry__endpoint=endpoint, target_registry__prefix=prefix)
    sources = rows.order_by().values_list("source", flat=True).iterator(chunk_size=2_000)
    return sorted({ImageRef.parse(source).registry for source in sources})
