"""Digests that run and that a mirrored index lists: container runtimes report those of platforms, or of indexes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from django.db.models import QuerySet

from mirrors.models import ImageMapping, RunningImage
from mirrors.readiness.gaps import IndexManifests
from mirrors.selectors.images.mapping_snapshot import MappingSnapshot
from mirrors.selectors.queries.batches import batched

MAPPINGS_PER_QUERY: Final = 20_000
"""Mappings of one query, as many as a large cluster runs: SQLite takes 32,766 parameters, Postgres 65,535."""

MAPPINGS_IN_MEMORY: Final = 500
"""Rows in memory at a time: their lists are a MB at most."""


def running_manifests(rows: QuerySet[RunningImage], mappings: Mapping[str, MappingSnapshot]) -> IndexManifests:
    """Of these rows. Lists are read of the indexes of which another digest runs than their own."""
    digests = rows.exclude(digest="").order_by().values_list("source", "digest").distinct()
    others: dict[int, set[str]] = {}
    for source, digest in digests.iterator():
        mapping = mappings.get(source)
        if mapping is not None and digest not in (mapping.source_digest, mapping.target_digest):
            others.setdefault(mapping.mapping_id, set()).add(digest)
    known: set[str] = set()
    running: set[tuple[str, str]] = set()
    for keys in batched(sorted(others), MAPPINGS_PER_QUERY):
        found = ImageMapping.objects.filter(pk__in=keys).exclude(manifests=[])
        for pk, source, manifests in found.values_list("pk", "source", "manifests").iterator(MAPPINGS_IN_MEMORY):
            known.add(source)
            running |= {(source, digest) for digest in others[pk].intersection(manifests)}
    return IndexManifests(known, running)
