"""Filters and source registries of operators, and the source registries of file and operators together."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from django.conf import settings

from mirrors.models import Filter, ManagedBy, Registry, RegistryRole
from mirrors.registries.credentials import Reference
from mirrors.registries.sources import SourceCatalog, SourceEntry
from mirrors.vocabulary.clusters import ALL_CLUSTERS, DEFAULT_CLUSTER
from swapper_project.config import Config


def operator_filters(cluster: str) -> list[tuple[str, str]]:
    """Name and expression of the operators' filters of a cluster, as they are evaluated."""
    rows = Filter.objects.in_force().filter(managed_by=ManagedBy.OPERATOR, cluster__in=[ALL_CLUSTERS, cluster])
    return list(rows.values_list("name", "jmespath"))


def operator_sources(cluster: str) -> list[SourceEntry]:
    """Source registries that operators added for a cluster, or for all, beside the configuration file's."""
    rows = Registry.objects.filter(role=RegistryRole.SOURCE, managed_by=ManagedBy.OPERATOR, enabled=True)
    # One for this cluster goes before one for all.
    return [source_entry(row) for row in rows.filter(cluster__in=[ALL_CLUSTERS, cluster]).order_by("-cluster", "id")]


def source_entry(row: Registry) -> SourceEntry:
    """An operator's row as workers and webhooks reach it; its files lie in the credentials directory."""
    # The last part alone: whatever the row says, no file elsewhere is read.
    ca_file = str(settings.ENVIRONMENT.credentials_dir / Path(row.ca_file).name) if row.ca_file else None
    return SourceEntry(
        host=row.endpoint,
        reference=Reference.of_row(row.username, row.credential_ref) if row.username else None,
        insecure=row.insecure,
        ca_file=ca_file,
        cluster=row.cluster,
        namespaces=tuple(row.namespaces),
        origin=f"the registry {row} in the admin",
    )


def catalog_of(config: Config | None, *, read_secret: Callable[[str], str] | None = None) -> SourceCatalog:
    """Source registries of the file, where there is one, and of operators, as they are now; raises DatabaseError."""
    cluster = config.cluster_name if config is not None else DEFAULT_CLUSTER
    return SourceCatalog.of(
        config,
        operator_sources(cluster),
        credentials_dir=settings.ENVIRONMENT.credentials_dir,
        read_secret=read_secret,
    )
