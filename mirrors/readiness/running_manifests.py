"""The running digests that mirrored indexes list. A container runtime reports either the digest of the platform's
manifest or that of the index."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from django.db.models import QuerySet

from mirrors.models import ImageMapping, RunningImage
from mirrors.readiness.gaps import IndexManifests
from mirrors.selectors.images.mapping_snapshot import MappingSnapshot
from mirrors.selectors.queries.batches import batched

MAPPINGS_PER_QUERY: Final = 20_000
"""The maximum number of mappings in one query, enough for a large cluster. SQLite allows 32,766 parameters, Postgres
65,535."""

MAPPINGS_IN_MEMORY: Final = 500
"""The number of rows in memory at a time. Their lists take at most 1 MB."""


def running_manifests(rows: QuerySet[RunningImage], mappings: Mapping[str, MappingSnapshot]) -> IndexManifests:
    """Return the manifests of these rows. Lists are read only for indexes that run with another digest than their
    own."""
    digests = rows.exclude(digest="").order_by().values_list("source", "digest").distinct()
    others: dict[int, set[str]] = {}
    for source, digest in digests.iterator():
        mapping = mappings.get(source)
        if mapping is not None and digest not in (mapping.source_digest, mapping.target_digest):
            others.setdefault(mapping.mapping_id, set()).add(digest)
    sources: set[str] = set()
    running: set[tuple[str, str]] = set()
    for keys in batched(sorted(others), MAPPINGS_PER_QUERY):
        found = ImageMapping.objects.filter(pk__in=keys).exclude(manifests=[])
        for pk, source, manifests in found.values_list("pk", "source", "manifests").iterator(MAPPINGS_IN_MEMORY):
            sources.add(source)
            running |= {(source, digest) for digest in others[pk].intersection(manifests)}
    return IndexManifests(sources, running)
