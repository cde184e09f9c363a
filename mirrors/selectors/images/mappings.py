"""Reads of mappings as snapshots, which webhooks cache: by image, by time of change, and by time last seen."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import models
from django.db.models import Q

from mirrors.models import (
    NOT_PUBLIC,
    ImageMapping,
    MappingAccess,
    Registry,
    RegistryRole,
)
from mirrors.selectors.images.mapping_snapshot import Grant, MappingSnapshot
from mirrors.selectors.queries.batches import batched
from mirrors.vocabulary.clusters import ClusterNamespace

CHANGES_LIMIT = 5_000
"""The most changed mappings of one read; the next read continues after them."""

CHANGES_OVERLAP = timedelta(seconds=5)
"""The period before the newest change that is read again, because rows are not committed in order of time."""

TARGETS_LIMIT = 1_000
"""The most mappings of one query; their number must stay below the number of parameters that SQLite accepts."""

ROWS_PER_READ = 2_000
"""Rows that a pass over many rows holds in memory at a time, which is a few MB."""

REPOSITORIES_PER_QUERY = 100
"""The most repositories in one query, because SQLite limits the depth of expressions."""

_KNOWN_FIELDS = (
    "id",
    "source",
    "target",
    "existence",
    "access",
    "source_digest",
    "target_digest",
    "verified_at",
    "source_checked_at",
    "platforms",
    "only_platforms",
    "obstacle",
    "paused",
    "last_job_id",
    "last_job__status",
)


def known_mappings(*, target_registry_id: int, targets: Mapping[str, str]) -> dict[str, MappingSnapshot]:
    """Return the mappings of the images ``{source: target}`` (canonical references), by source; images without a
    mapping are left out. If an image has no mapping and another source owns its target's name, return the mapping of
    that source."""
    rows = ImageMapping.objects.filter(target_registry_id=target_registry_id)
    found = list(_known(rows.filter(Q(source__in=targets) | Q(target__in=targets.values()))))
    owners = {by_owner.target: by_owner for by_owner in found}
    by_owner = {source: owners[target] for source, target in targets.items() if target in owners}
    return by_owner | {row.source: row for row in found if row.source in targets}


def changed_mappings(
    *, target_registry_id: int, since: datetime | None
) -> tuple[list[MappingSnapshot], datetime | None]:
    """Return at most ``CHANGES_LIMIT`` mappings changed at or after ``since`` (database clock), oldest first, and the
    time of the newest of them. Without ``since``, return only the time of the newest change, at which a new reader
    starts."""
    rows = ImageMapping.objects.filter(target_registry_id=target_registry_id)
    if since is None:
        return [], rows.order_by("-changed_at").values_list("changed_at", flat=True).first()
    changed = rows.filter(changed_at__gte=since).order_by("changed_at", "id")[:CHANGES_LIMIT]
    times = list(changed.values_list("changed_at", flat=True))
    return list(_known(changed)), times[-1] if times else None


Seen = tuple[datetime, int]
"""The time at which a mapping was last seen (database clock), and its key: the end of a page of recent mappings."""


def recent_mappings(
    *, target_registry_id: int, before: Seen | None, limit: int
) -> tuple[list[MappingSnapshot], Seen | None]:
    """Return a page of the most recently seen mappings, newest first, and the position of its end; None if it is the
    last."""
    rows = ImageMapping.objects.filter(target_registry_id=target_registry_id)
    if before is not None:
        at, pk = before
        # The first condition is redundant, but lets the database use the index.
        rows = rows.filter(Q(last_seen_at__lte=at) & (Q(last_seen_at__lt=at) | Q(pk__lt=pk)))
    # The end is read with the page, because the last mapping can be seen again or deleted at any time.
    found = list(rows.order_by("-last_seen_at", "-pk").values_list("last_seen_at", *_KNOWN_FIELDS)[:limit])
    page = list(_snapshots([columns for _, *columns in found]))
    return page, (found[-1][0], page[-1].mapping_id) if len(found) == limit else None


def mappings_of_sources(*, endpoint: str, prefix: str, sources: models.QuerySet[Any, str]) -> Iterable[MappingSnapshot]:
    """Yield the mappings at a target of the sources that a query returns. Any number of them is read in one pass, with
    two queries."""
    target = models.Subquery(_target_registries(endpoint, prefix)[:1])
    rows = ImageMapping.objects.filter(target_registry_id=target, source__in=sources)
    grants = _grants(rows.filter(access__in=NOT_PUBLIC).values("pk"))
    for row in rows.order_by().values_list(*_KNOWN_FIELDS).iterator(chunk_size=ROWS_PER_READ):
        yield _snapshot(row, grants)


def not_public_in(*, target_registry_id: int, repositories: Sequence[str]) -> list[MappingSnapshot]:
    """Return mappings of images that are not public and whose target is in one of the repositories (host and path,
    without tag or digest), at most ``TARGETS_LIMIT`` of each repository."""
    rows = ImageMapping.objects.filter(target_registry_id=target_registry_id, access__in=NOT_PUBLIC)
    found: list[MappingSnapshot] = []
    for batch in batched(repositories, REPOSITORIES_PER_QUERY):
        page = list(_known(rows.in_repositories(batch)[:TARGETS_LIMIT]))
        if len(page) == TARGETS_LIMIT and len(batch) > 1:
            # The images of one repository must not displace those of the others, which would then count as public.
            page = [row for name in batch for row in _known(rows.in_repositories([name])[:TARGETS_LIMIT])]
        found += page
    return found


def _known(rows: models.QuerySet[ImageMapping]) -> Iterable[MappingSnapshot]:
    return _snapshots(list(rows.values_list(*_KNOWN_FIELDS)))


def _snapshots(rows: Sequence[Sequence[Any]]) -> Iterator[MappingSnapshot]:
    # Most images are public. Grants are read only for the others.
    grants = _grants([row[0] for row in rows if row[4] in NOT_PUBLIC])
    for row in rows:
        yield _snapshot(row, grants)


def _snapshot(row: Sequence[Any], grants: Mapping[int, Mapping[ClusterNamespace, Grant]]) -> MappingSnapshot:
    (pk, source, target, existence, access, source_digest, target_digest, *rest) = row
    verified_at, source_checked_at, platforms, only_platforms, obstacle, paused, job_id, job_status = rest
    return MappingSnapshot(
        mapping_id=pk,
        source=source,
        target=target,
        existence=existence,
        access=access,
        source_digest=source_digest,
        target_digest=target_digest,
        verified_at=verified_at.timestamp() if verified_at else 0.0,
        source_checked_at=source_checked_at.timestamp() if source_checked_at else 0.0,
        platforms=tuple(platforms),
        only_platforms=tuple(filter(None, only_platforms.split(","))),
        obstacle=obstacle,
        paused=paused,
        last_job_id=job_id,
        last_job_status=job_status or "",
        grants=grants.get(pk, {}),
    )


def _grants(mapping_ids: Collection[int] | models.QuerySet[Any, Any]) -> dict[int, dict[ClusterNamespace, Grant]]:
    """Return the grants by mapping. ``mapping_ids`` can be a query, which becomes a subquery."""
    grants: dict[int, dict[ClusterNamespace, Grant]] = {}
    if isinstance(mapping_ids, models.QuerySet) or mapping_ids:
        rows = MappingAccess.objects.filter(mapping__in=mapping_ids)
        for mapping_id, cluster, namespace, granted, checked_at in rows.values_list(
            "mapping_id", "cluster", "namespace", "granted", "checked_at"
        ):
            key = ClusterNamespace(cluster, namespace)
            grants.setdefault(mapping_id, {})[key] = Grant(granted, checked_at.timestamp())
    return grants


def target_registry_id(*, endpoint: str, prefix: str) -> int | None:
    """Return the key of the target's row; None until ``prepare`` or ``up`` has written the row."""
    return _target_registries(endpoint, prefix).first()


def _target_registries(endpoint: str, prefix: str) -> models.QuerySet[Registry, int]:
    rows = Registry.objects.filter(role=RegistryRole.TARGET, endpoint=endpoint, prefix=prefix)
    return rows.order_by("id").values_list("id", flat=True)
