"""The clusters that share this database, and how pages name their namespaces."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Final

from django.utils.timesince import timesince

from mirrors.models import Cluster, Filter, ManagedBy, Registry, RegistryRole
from mirrors.selectors.configuration.declared import clusters_of_rows
from mirrors.vocabulary.clusters import ALL_CLUSTERS, ClusterNamespace

ALL_NAME: Final = "All clusters"


def targets_in_use() -> list[Registry]:
    """Return the targets that a configuration file names, the oldest first."""
    return list(Registry.objects.filter(role=RegistryRole.TARGET, enabled=True).order_by("id"))


def target_of_cluster(cluster: str) -> Registry | None:
    """Return the target that the cluster's configuration file names; for a cluster without one, the first target."""
    rows = targets_in_use()
    return next((row for row in rows if cluster in row.clusters), rows[0] if rows else None)


def qualified_namespace(cluster: str, namespace: str) -> str:
    """Return a namespace as shown to users: with the name of the cluster if it is not this process's cluster."""
    if not namespace or cluster in clusters_of_rows():
        return namespace
    return str(ClusterNamespace(cluster, namespace))


def cluster_names(row: Filter | Registry) -> str:
    """Return the clusters that a filter or a registry applies to: for a target, those whose files name it."""
    named = row.clusters if isinstance(row, Registry) else []
    return ", ".join(named) or row.cluster or ALL_NAME


def unknown_clusters_warning(row: Filter | Registry, known_clusters: Callable[[], Collection[str]]) -> str:
    """Return a warning about clusters that an operator's row names and that have not been set up; empty if there are
    none. ``known_clusters`` is called only if the row names a cluster."""
    named = _named_clusters(row) if row.managed_by == ManagedBy.OPERATOR else set()
    names = known_clusters() if named else ()
    if not (unknown := sorted(named.difference(names))):
        return ""
    return (
        f"There is no cluster named {', '.join(unknown)} (known: {', '.join(names) or 'none yet'}): check the name. "
        "This has no effect until a cluster with this name is set up."
    )


def _named_clusters(row: Filter | Registry) -> set[str]:
    """Return the clusters that are named by a row and by its namespaces, such as ``prod/shop``."""
    namespaces = row.namespaces if isinstance(row, Registry) else []
    of_namespaces = (name.partition("/") for name in namespaces)
    return {row.cluster, *(cluster for cluster, slash, _ in of_namespaces if slash)} - {ALL_CLUSTERS}


def stale_clusters() -> list[Cluster]:
    """Return the clusters whose watcher no longer reports, with one query."""
    return list(Cluster.objects.stale().order_by("name"))


def stale_message(cluster: Cluster) -> str:
    """Return a message about a cluster whose watcher no longer reports: what that means, and what to do."""
    since = timesince(cluster.seen_at, depth=1)
    return (
        f"The watcher of the cluster {cluster.name} last reported {since} ago: the data shown for this cluster is "
        "from that time. Check that the watcher runs (manage.py watch) and reaches the database."
    )
