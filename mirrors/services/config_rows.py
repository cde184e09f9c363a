"""The configuration file's registries and filters as rows, so that admin and API show all that is in force."""

from __future__ import annotations

from django.db import transaction
from django.db.models import QuerySet

from mirrors.models import Filter, ManagedBy, Registry, RegistryRole, Revision
from swapper_project.config import Config, OciTarget, SourceRegistry

LOCK = "configuration"
"""Row that whoever writes the file's rows holds, so that two starts don't mix theirs."""


def sync_config(*, config: Config) -> Registry:
    """Write the rows of the configuration file and return the target's.

    Rows of operators are left alone. A registry that is in the file no longer is disabled, as mappings refer to it.
    """
    with transaction.atomic():
        Revision.objects.bulk_create([Revision(table=LOCK)], ignore_conflicts=True)
        Revision.objects.select_for_update().get(table=LOCK)
        target = _sync_target(config)
        _sync_sources(config)
        _sync_filters(config)
    return target


def _sync_target(config: Config) -> Registry:
    name = config.target.name
    target, _ = Registry.objects.update_or_create(
        role=RegistryRole.TARGET,
        endpoint=name.endpoint,
        prefix=name.prefix,
        defaults={
            "name": "/".join(filter(None, (name.endpoint, name.prefix))),
            "kind": config.target.type,
            "insecure": isinstance(config.target.chosen, OciTarget) and config.target.chosen.insecure,
            "settings": {"aliases": list(name.aliases)} if name.aliases else {},
            "managed_by": ManagedBy.CONFIG,
            "enabled": True,
        },
    )
    _disable(Registry.objects.filter(role=RegistryRole.TARGET).exclude(pk=target.pk))
    return target


def _disable(registries: QuerySet[Registry]) -> None:
    """One by one, as the history of changes sees no bulk update."""
    for registry in registries.filter(enabled=True):
        registry.enabled = False
        registry.save(update_fields=["enabled", "updated_at"])


def _sync_sources(config: Config) -> None:
    kept = []
    for entry in config.source.registries:
        row, _ = Registry.objects.update_or_create(
            role=RegistryRole.SOURCE,
            endpoint=entry.registry_host,
            prefix="",
            defaults={
                "name": entry.registry_host,
                "kind": entry.type,
                "username": entry.username or "",
                "credential_ref": _reference(entry),
                "insecure": entry.insecure,
                "ca_file": entry.ca_file or "",
                "settings": {"aliases": list(entry.aliases)} if entry.aliases else {},
                "managed_by": ManagedBy.CONFIG,
                "enabled": True,
            },
        )
        kept.append(row.pk)
    _disable(Registry.objects.filter(role=RegistryRole.SOURCE, managed_by=ManagedBy.CONFIG).exclude(pk__in=kept))


def _reference(entry: SourceRegistry) -> str:
    """Where the password is, as rows write it."""
    if entry.password_env:
        return f"env:{entry.password_env}"
    if entry.password_secret:
        return f"secret:{entry.password_secret}"
    return f"file:{entry.password_file}" if entry.password_file else ""


def _sync_filters(config: Config) -> None:
    wanted = [(f"source.filters[{index}]", f.jmespath) for index, f in enumerate(config.source.filters)]
    rows = Filter.objects.filter(managed_by=ManagedBy.CONFIG).order_by("position")
    if list(rows.values_list("name", "jmespath")) == wanted:
        return
    rows.exclude(name__in=[name for name, _ in wanted]).delete()
    for position, (name, expression) in enumerate(wanted):
        Filter.objects.update_or_create(
            name=name, managed_by=ManagedBy.CONFIG, defaults={"jmespath": expression, "position": position}
        )
