"""Filters and source registries of operators, and the combined source registries of the file and operators."""

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
    """Return name and expression of the operators' filters of a cluster, in the order of evaluation."""
    rows = Filter.objects.active().filter(managed_by=ManagedBy.OPERATOR, cluster__in=[ALL_CLUSTERS, cluster])
    return list(rows.values_list("name", "jmespath"))


def operator_sources(cluster: str) -> list[SourceEntry]:
    """Return the source registries that operators added for a cluster or for all clusters."""
    rows = Registry.objects.filter(role=RegistryRole.SOURCE, managed_by=ManagedBy.OPERATOR, enabled=True)
    # A registry for this cluster takes precedence over one for all clusters.
    return [source_entry(row) for row in rows.filter(cluster__in=[ALL_CLUSTERS, cluster]).order_by("-cluster", "id")]


def source_entry(row: Registry) -> SourceEntry:
    """Convert an operator's row to the entry of a source registry. Its files are in the credentials directory."""
    # Only the last part of the path is used, so that a row cannot refer to a file outside of the directory.
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
    """Return the current source registries of the file, if there is one, and of operators. Raise DatabaseError if the
    database cannot be read."""
    cluster = config.cluster_name if config is not None else DEFAULT_CLUSTER
    return SourceCatalog.of(
        config,
        operator_sources(cluster),
        credentials_dir=settings.ENVIRONMENT.credentials_dir,
        read_secret=read_secret,
    )
