"""Mappings as webhooks hold them in memory: read by image, by change and by the last request."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
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
"""Changed mappings that one read takes into memory; the next read continues after them."""

CHANGES_OVERLAP = timedelta(seconds=5)
"""How far behind the newest change readers look again: rows are not committed in the order of their time."""

TARGETS_LIMIT = 1_000
"""References in one query: below the number of parameters that SQLite takes."""

READ_AT_ONCE = 2_000
"""Rows that a pass over many of them holds at a time: some MB."""

REPOSITORIES_AT_ONCE = 100
"""In one query: SQLite bounds the depth of an expression."""

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
    """Return the mappings of images, asked for by ``{source: target}`` (canonical references); unknown ones are left
    out. Where another source owns the target's name, its mapping is given in place of the asked one."""
    rows = ImageMapping.objects.filter(target_registry_id=target_registry_id)
    found = list(_known(rows.filter(Q(source__in=targets) | Q(target__in=targets.values()))))
    owners = {known.target: known for known in found}
    known = {source: owners[target] for source, target in targets.items() if target in owners}
    return known | {row.source: row for row in found if row.source in targets}


def changed_mappings(
    *, target_registry_id: int, since: datetime | None
) -> tuple[list[MappingSnapshot], datetime | None]:
    """Mappings changed at or after ``since`` (database clock), oldest first, and the time of the newest of them.

    At most ``CHANGES_LIMIT`` of them. Without ``since`` nothing but the newest time: where a new reader begins.
    """
    rows = ImageMapping.objects.filter(target_registry_id=target_registry_id)
    if since is None:
        return [], rows.order_by("-changed_at").values_list("changed_at", flat=True).first()
    changed = rows.filter(changed_at__gte=since).order_by("changed_at", "id")[:CHANGES_LIMIT]
    times = list(changed.values_list("changed_at", flat=True))
    return list(_known(changed)), times[-1] if times else None


Seen = tuple[datetime, int]
"""When a mapping was last seen (database clock), and its key: where a page of recent ones ends."""


def recent_mappings(
    *, target_registry_id: int, before: Seen | None, limit: int
) -> tuple[list[MappingSnapshot], Seen | None]:
    """A page of the mappings seen most recently, newest first, and where it ends; None there: it is the last one."""
    rows = ImageMapping.objects.filter(target_registry_id=target_registry_id)
    if before is not None:
        at, pk = before
        # The first condition says nothing new: it is the one that the index is read by.
        rows = rows.filter(Q(last_seen_at__lte=at) & (Q(last_seen_at__lt=at) | Q(pk__lt=pk)))
    page = list(_known(rows.order_by("-last_seen_at", "-pk")[:limit]))
    if len(page) < limit:
        return page, None
    return page, rows.values_list("last_seen_at", "pk").filter(pk=page[-1].mapping_id).first()


def mappings_of_sources(*, endpoint: str, prefix: str, sources: models.QuerySet[Any, str]) -> Iterable[MappingSnapshot]:
    """Those at a target, of the sources that a query gives, however many: two queries in all, read in one pass."""
    target = models.Subquery(_target_registries(endpoint, prefix)[:1])
    rows = ImageMapping.objects.filter(target_registry_id=target, source__in=sources)
    grants = _grants(rows.filter(access__in=NOT_PUBLIC).values("pk"))
    for row in rows.order_by().values_list(*_KNOWN_FIELDS).iterator(chunk_size=READ_AT_ONCE):
        yield _snapshot(row, grants)


def not_public_in(*, target_registry_id: int, repositories: Sequence[str]) -> list[MappingSnapshot]:
    """Mappings of images that not everybody may read, whose target lies in one of the repositories (host and path,
    without tag or digest)."""
    rows = ImageMapping.objects.filter(target_registry_id=target_registry_id, access__in=NOT_PUBLIC)
    found: list[MappingSnapshot] = []
    for batch in batched(repositories, REPOSITORIES_AT_ONCE):
        found += _known(rows.in_repositories(batch)[:TARGETS_LIMIT])
    return found


def _known(rows: models.QuerySet[ImageMapping]) -> Iterable[MappingSnapshot]:
    found = list(rows.values_list(*_KNOWN_FIELDS))
    # Most images are public: only the others are asked about.
    grants = _grants([row[0] for row in found if row[4] in NOT_PUBLIC])
    for row in found:
        yield _snapshot(row, grants)


def _snapshot(row: tuple[Any, ...], grants: Mapping[int, Mapping[ClusterNamespace, Grant]]) -> MappingSnapshot:
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
    """``mapping_ids`` may be a query, which is not run on its own."""
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
    """Key of the target's row, or None until ``prepare`` or ``up`` has written it."""
    return _target_registries(endpoint, prefix).first()


def _target_registries(endpoint: str, prefix: str) -> models.QuerySet[Registry, int]:
    rows = Registry.objects.filter(role=RegistryRole.TARGET, endpoint=endpoint, prefix=prefix)
    return rows.order_by("id").values_list("id", flat=True)
