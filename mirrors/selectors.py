"""Reads that webhook, jobs, API and pages share."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta

from django.db import models

from mirrors.known import KnownMapping
from mirrors.models import Filter, ImageMapping, ManagedBy, MirrorJob, Registry, RegistryRole
from mirrors.models.revision import numbers

SMALL_TABLES: tuple[type[models.Model], ...] = (Registry, Filter)
CHANGES_LIMIT = 5_000

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
    "paused",
    "last_job_id",
    "last_job__status",
)


def known_mappings(*, target_registry_id: int, sources: Collection[str]) -> dict[str, KnownMapping]:
    """What is known of each of ``sources`` (canonical references); unknown ones are left out."""
    rows = ImageMapping.objects.filter(target_registry_id=target_registry_id, source__in=sources)
    return {known.source: known for known in _known(rows)}


def changed_mappings(*, target_registry_id: int, since: datetime) -> list[KnownMapping]:
    """Mappings changed at or after ``since`` (database clock), oldest first, at most ``CHANGES_LIMIT``."""
    rows = ImageMapping.objects.filter(target_registry_id=target_registry_id, changed_at__gte=since)
    return list(_known(rows.order_by("changed_at", "id")[:CHANGES_LIMIT]))


def _known(rows: models.QuerySet[ImageMapping]) -> Iterable[KnownMapping]:
    for row in rows.values_list(*_KNOWN_FIELDS):
        (pk, source, target, existence, access, source_digest, target_digest, *rest) = row
        verified_at, source_checked_at, paused, job_id, job_status = rest
        yield KnownMapping(
            mapping_id=pk,
            source=source,
            target=target,
            existence=existence,
            access=access,
            source_digest=source_digest,
            target_digest=target_digest,
            verified_at=verified_at.timestamp() if verified_at else 0.0,
            source_checked_at=source_checked_at.timestamp() if source_checked_at else 0.0,
            paused=paused,
            last_job_id=job_id,
            last_job_status=job_status or "",
        )


def job_states(job_ids: Collection[int]) -> dict[int, str]:
    """Status by job id, for those who wait for a copy."""
    return dict(MirrorJob.objects.filter(id__in=job_ids).values_list("id", "status"))


def small_table_revisions() -> dict[str, int]:
    """Revision numbers of the tables that processes hold in memory."""
    return numbers(SMALL_TABLES)


def operator_filters() -> list[tuple[str, str]]:
    """Name and expression of the operators' filters, as they are evaluated."""
    rows = Filter.objects.in_force().filter(managed_by=ManagedBy.OPERATOR)
    return list(rows.values_list("name", "jmespath"))


def operator_sources() -> list[Registry]:
    """Source registries that operators added beside the configuration file's."""
    return list(
        Registry.objects.filter(role=RegistryRole.SOURCE, managed_by=ManagedBy.OPERATOR, enabled=True).order_by("id")
    )


def target_registry_id(*, endpoint: str, prefix: str) -> int | None:
    """Key of the target's row, or None until ``migrate`` or ``up`` has written it."""
    return (
        Registry.objects.filter(role=RegistryRole.TARGET, endpoint=endpoint, prefix=prefix)
        .values_list("id", flat=True)
        .first()
    )


def change_watermark() -> datetime | None:
    """``changed_at`` of the newest change, where a reader that starts now begins."""
    return ImageMapping.objects.aggregate(newest=models.Max("changed_at"))["newest"]


OVERLAP = timedelta(seconds=5)
"""How far behind the watermark changes are read again: rows are not committed in the order of their time."""
