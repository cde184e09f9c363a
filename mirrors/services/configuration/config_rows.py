"""Writes the registries and filters of the configuration file as rows, so that admin and API show all active ones."""

from __future__ import annotations

from django.db import transaction
from django.db.models import QuerySet

from mirrors.models import Filter, ManagedBy, Registry, RegistryRole, Revision
from mirrors.selectors.configuration import declared
from mirrors.vocabulary.clusters import ALL_CLUSTERS
from swapper_project.config import Config

LOCK = "configuration"
"""The row that is locked while the file's rows are written, so that two processes do not mix their rows."""


def sync_config(*, config: Config) -> Registry:
    """Write the rows of the configuration file and return the row of the target.

    Each cluster has its own rows, except that clusters share the row of a target that several of them name. Rows of
    users are not changed. A registry that is no longer in the file is disabled, not deleted, because mappings refer to
    it.
    """
    with transaction.atomic():
        Revision.objects.bulk_create([Revision(table=LOCK)], ignore_conflicts=True)
        Revision.objects.select_for_update().get(table=LOCK)
        target = _sync_target(config)
        _sync_sources(config)
        _sync_filters(config)
    return target


def _write(row: Registry, *, named_by: str = "") -> Registry:
    """Save the declared row, over the existing one if any. ``named_by`` is the cluster whose file names the target."""
    existing = _existing_row(row) or Registry(
        **{name: getattr(row, name) for name in declared.IDENTIFYING_FIELDS[Registry]}
    )
    for name in declared.FIELDS[Registry]:
        setattr(existing, name, getattr(row, name))
    if named_by:
        existing.clusters = sorted({*existing.clusters, named_by})
    existing.save()
    return existing


def _existing_row(row: Registry) -> Registry | None:
    """Return the existing row of the same cluster, else the one for all clusters. Return None if an operator created
    the latter and other clusters use it too."""
    keys = {name: getattr(row, name) for name in declared.IDENTIFYING_FIELDS[Registry]}
    rows = Registry.objects.filter(**keys, cluster__in=[ALL_CLUSTERS, row.cluster]).order_by("-cluster")
    existing = rows.first()
    is_shared = existing is not None and existing.cluster != row.cluster and existing.managed_by == ManagedBy.OPERATOR
    return None if is_shared and _has_others(row.cluster) else existing


def _has_others(cluster: str) -> bool:
    """Return whether rows of other clusters' files exist."""
    targets = Registry.objects.filter(role=RegistryRole.TARGET).values_list("clusters", flat=True)
    return any(set(clusters) - {cluster} for clusters in targets)


def _sync_target(config: Config) -> Registry:
    own = config.cluster_name
    target = _write(declared.target_of(config), named_by=own)
    for previous in Registry.objects.filter(role=RegistryRole.TARGET, enabled=True).exclude(pk=target.pk):
        _remove_cluster(previous, own)
    return target


def _remove_cluster(target: Registry, cluster: str) -> None:
    """Remove the cluster, whose file does not name this target, and disable the target if no other file names it."""
    others = [name for name in target.clusters if name != cluster]
    if others == target.clusters and others:
        return
    target.clusters, target.enabled = others, bool(others)
    target.save(update_fields=["clusters", "enabled", "updated_at"])


def _disable(registries: QuerySet[Registry]) -> None:
    """Disable the registries one by one, because the change history does not record bulk updates."""
    for registry in registries.filter(enabled=True):
        registry.enabled = False
        registry.save(update_fields=["enabled", "updated_at"])


def _sync_sources(config: Config) -> None:
    kept = [_write(row).pk for row in declared.sources_of(config)]
    rows = Registry.objects.filter(
        role=RegistryRole.SOURCE, managed_by=ManagedBy.CONFIG, cluster__in=[ALL_CLUSTERS, config.cluster_name]
    )
    _disable(rows.exclude(pk__in=kept))


def _sync_filters(config: Config) -> None:
    own = config.cluster_name
    declared_filters = [(row.name, row.jmespath) for row in declared.filters_of(config)]
    _take_over_filters(own)
    rows = Filter.objects.filter(managed_by=ManagedBy.CONFIG, cluster=own).order_by("position")
    if list(rows.values_list("name", "jmespath")) == declared_filters:
        return
    rows.exclude(name__in=[name for name, _ in declared_filters]).delete()
    for position, (name, expression) in enumerate(declared_filters):
        Filter.objects.update_or_create(
            name=name,
            managed_by=ManagedBy.CONFIG,
            cluster=own,
            defaults={"jmespath": expression, "position": position},
        )


def _take_over_filters(cluster: str) -> None:
    """Assign to the cluster the filters that an earlier release without clusters wrote."""
    written = Filter.objects.filter(managed_by=ManagedBy.CONFIG)
    own = set(written.filter(cluster=cluster).values_list("name", flat=True))
    for row in written.filter(cluster=ALL_CLUSTERS):
        if row.name in own:
            row.delete()
        else:
            row.cluster = cluster
            row.save(update_fields=["cluster", "updated_at"])
