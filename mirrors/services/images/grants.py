"""Grants of private images to namespaces of clusters whose own pull secrets were observed to read the image."""

from __future__ import annotations

from collections.abc import Mapping

from django.db.models.functions import Now

from mirrors.models import ImageMapping, MappingAccess


def record_grants(*, mapping_id: int, cluster: str, grants: Mapping[str, bool]) -> None:
    """Record which namespaces of a cluster have access. Webhooks see the change with their next poll."""
    if not grants:
        return
    MappingAccess.objects.bulk_create(
        [
            MappingAccess(mapping_id=mapping_id, cluster=cluster, namespace=name, granted=granted, checked_at=Now())
            for name, granted in sorted(grants.items())
        ],
        update_conflicts=True,
        unique_fields=["mapping", "cluster", "namespace"],
        update_fields=["granted", "checked_at"],
    )
    ImageMapping.objects.filter(pk=mapping_id).record()
