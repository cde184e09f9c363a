"""Registries and filters that the configuration file declares, converted to rows, and database rows updated in memory
to match the active file.

Only ``prepare`` and ``up`` write the file's rows to the database. Pages, and decisions in the web process, use the file
itself, whose changes are read without a restart.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final, TypeVar

from mirrors.models import Filter, ManagedBy, Registry, RegistryRole
from mirrors.vocabulary.clusters import ALL_CLUSTERS, DEFAULT_CLUSTER
from swapper_project.config import Config, OciTarget, SourceRegistry
from swapper_project.config.sections.section import RegistryWithCredentials
from swapper_project.process import configured

DeclaredRow = TypeVar("DeclaredRow", Filter, Registry)

IDENTIFYING_FIELDS: Final[dict[type[Any], tuple[str, ...]]] = {
    Registry: ("role", "endpoint", "prefix"),
    Filter: ("name",),
}
"""Fields that identify a declared row, among the rows of the file's cluster and those of all clusters."""

FIELDS: Final[dict[type[Any], tuple[str, ...]]] = {
    Registry: (
        "name",
        "kind",
        "username",
        "credential_ref",
        "namespaces",
        "insecure",
        "ca_file",
        "settings",
        "managed_by",
        "cluster",
        "enabled",
    ),
    Filter: ("jmespath", "position", "managed_by", "cluster", "enabled"),
}
"""Fields of a row that the file specifies."""


def target_of(config: Config) -> Registry:
    """Return the target as an unsaved row. All clusters whose files name the target share its row."""
    name, chosen = config.target.name, config.target.chosen
    return Registry(
        role=RegistryRole.TARGET,
        endpoint=name.endpoint,
        prefix=name.prefix,
        name=str(name),
        kind=config.target.type,
        managed_by=ManagedBy.CONFIG,
        settings={"aliases": list(name.aliases)} if name.aliases else {},
        **(_credentials(chosen) if isinstance(chosen, OciTarget) else {"ca_file": chosen.ca_file or ""}),
    )


def sources_of(config: Config) -> list[Registry]:
    """Return the source registries as unsaved rows."""
    return [_source(entry, config.cluster_name) for entry in config.source.registries]


def filters_of(config: Config) -> list[Filter]:
    """Return the filters in order, as unsaved rows."""
    return [
        Filter(
            name=f"source.filters[{index}]",
            jmespath=entry.jmespath,
            position=index,
            managed_by=ManagedBy.CONFIG,
            cluster=config.cluster_name,
        )
        for index, entry in enumerate(config.source.filters)
    ]


def active_rows(model: type[DeclaredRow]) -> list[DeclaredRow] | None:
    """Return the rows that the active file declares. If there is no file, return None: the database's rows apply."""
    source = configured.source()
    if source is None:
        return None
    config: Config = source.current
    rows: list[Any] = []
    rows += filters_of(config) if model is Filter else (target_of(config), *sources_of(config))
    return rows


def own_cluster() -> str:
    """Return the cluster of the active file."""
    source = configured.source()
    return source.current.cluster_name if source is not None else DEFAULT_CLUSTER


def clusters_of_rows() -> tuple[str, str]:
    """Return the values of ``cluster`` in rows that apply to the active file's cluster."""
    return ALL_CLUSTERS, own_cluster()


def key_of(row: Filter | Registry) -> tuple[Any, ...]:
    return tuple(getattr(row, name) for name in IDENTIFYING_FIELDS[type(row)])


def apply_declared_values(rows: Iterable[DeclaredRow], declared: Sequence[DeclaredRow] | None) -> None:
    """Set the fields of database rows to the values of the active file, and disable rows that the file no longer
    declares. Nothing is saved. Rows of operators that the file does not declare stay unchanged, and so do rows of other
    clusters."""
    if declared is None:
        return
    by_key, clusters = {key_of(row): row for row in declared}, clusters_of_rows()
    for row in rows:
        if row.cluster not in clusters:
            continue
        if (declared_row := by_key.get(key_of(row))) is not None:
            for name in FIELDS[type(row)]:
                setattr(row, name, getattr(declared_row, name))
        elif row.managed_by == ManagedBy.CONFIG:
            row.enabled = False


def unwritten_rows(model: type[DeclaredRow], declared: Sequence[DeclaredRow] | None) -> list[DeclaredRow]:
    """Return the rows that the active file declares and ``prepare`` has not written yet."""
    if not declared:
        return []
    rows = model._default_manager.filter(cluster__in=clusters_of_rows()).values_list(*IDENTIFYING_FIELDS[model])
    if model is Filter:
        rows = rows.filter(managed_by=ManagedBy.CONFIG)
    written = set(rows)
    return [row for row in declared if key_of(row) not in written]


def _source(entry: SourceRegistry, cluster: str) -> Registry:
    return Registry(
        role=RegistryRole.SOURCE,
        cluster=cluster,
        endpoint=entry.registry_host,
        name=entry.registry_host,
        kind=entry.type,
        namespaces=["*"] if entry.serves_all_namespaces else list(entry.namespaces),
        settings={"aliases": list(entry.aliases)} if entry.aliases else {},
        managed_by=ManagedBy.CONFIG,
        **_credentials(entry) | {"ca_file": (entry.cloud or entry).ca_file or ""},
    )


def _credentials(entry: RegistryWithCredentials) -> dict[str, Any]:
    """Return the fields of a row for the connection to a registry, with a reference to the password."""
    secret = entry.password_secret if isinstance(entry, SourceRegistry) else None
    references = {"env": entry.password_env, "secret": secret, "file": entry.password_file}
    locations = [f"{kind}:{location}" for kind, location in references.items() if location]
    return {
        "username": entry.username or "",
        "credential_ref": next(iter(locations), ""),
        "insecure": entry.insecure,
        "ca_file": entry.ca_file or "",
    }
