"""The registries and filters of the configuration file as rows, so that admin and API show all active ones."""

from __future__ import annotations

from django.db import transaction
from django.db.models import QuerySet

from mirrors.models import Filter, ManagedBy, Registry, RegistryRole, Revision
from mirrors.selectors import declared
from swapper_project.config import Config

LOCK = "configuration"
"""Row that is locked while the file's rows are written, so that two processes do not mix theirs."""


def sync_config(*, config: Config) -> Registry:
    """Write the rows of the configuration file and return the target's.

    Rows of users are not changed. A registry that is no longer in the file is disabled, because mappings refer to it.
    """
    with transaction.atomic():
        Revision.objects.bulk_create([Revision(table=LOCK)], ignore_conflicts=True)
        Revision.objects.select_for_update().get(table=LOCK)
        target = _sync_target(config)
        _sync_sources(config)
        _sync_filters(config)
    return target


def _write(row: Registry) -> Registry:
    wanted = {name: getattr(row, name) for name in declared.FIELDS[Registry]}
    keys = {name: getattr(row, name) for name in declared.KEYS[Registry]}
    return Registry.objects.update_or_create(**keys, defaults=wanted)[0]


def _sync_target(config: Config) -> Registry:
    target = _write(declared.target_of(config))
    _disable(Registry.objects.filter(role=RegistryRole.TARGET).exclude(pk=target.pk))
    return target


def _disable(registries: QuerySet[Registry]) -> None:
    """One by one, as the history of changes sees no bulk update."""
    for registry in registries.filter(enabled=True):
        registry.enabled = False
        registry.save(update_fields=["enabled", "updated_at"])


def _sync_sources(config: Config) -> None:
    kept = [_write(row).pk for row in declared.sources_of(config)]
    _disable(Registry.objects.filter(role=RegistryRole.SOURCE, managed_by=ManagedBy.CONFIG).exclude(pk__in=kept))


def _sync_filters(config: Config) -> None:
    wanted = [(row.name, row.jmespath) for row in declared.filters_of(config)]
    rows = Filter.objects.filter(managed_by=ManagedBy.CONFIG).order_by("position")
    if list(rows.values_list("name", "jmespath")) == wanted:
        return
    rows.exclude(name__in=[name for name, _ in wanted]).delete()
    for position, (name, expression) in enumerate(wanted):
        Filter.objects.update_or_create(
            name=name, managed_by=ManagedBy.CONFIG, defaults={"jmespath": expression, "position": position}
        )
