"""The clusters that share this database, and how pages name their namespaces."""

from __future__ import annotations

from typing import Final

from django.utils.timesince import timesince

from mirrors.models import Cluster, Filter, Registry, RegistryRole
from mirrors.selectors.configuration.declared import clusters_of_rows
from mirrors.vocabulary.clusters import ClusterNamespace

ALL_NAME: Final = "All clusters"


def known_clusters() -> list[str]:
    """Those whose configuration files have been written; one query."""
    targets = Registry.objects.filter(role=RegistryRole.TARGET).values_list("clusters", flat=True)
    return sorted({name for names in targets for name in names})


def targets_in_use() -> list[Registry]:
    """Those that a configuration file names, the oldest first."""
    return list(Registry.objects.filter(role=RegistryRole.TARGET, enabled=True).order_by("id"))


def target_of_cluster(cluster: str) -> Registry | None:
    """The target that the cluster's configuration file names; of a cluster without one, the first."""
    rows = targets_in_use()
    return next((row for row in rows if cluster in row.clusters), rows[0] if rows else None)


def place_name(cluster: str, namespace: str) -> str:
    """A namespace as people read it: of another cluster than this one, with the cluster's name."""
    if not namespace or cluster in clusters_of_rows():
        return namespace
    return str(ClusterNamespace(cluster, namespace))


def clusters_in_words(row: Filter | Registry) -> str:
    """The clusters that a filter or a registry is for. A target is for those whose files name it."""
    named = row.clusters if isinstance(row, Registry) else []
    return ", ".join(named) or row.cluster or ALL_NAME


def stale_clusters() -> list[Cluster]:
    """Those whose watcher does not report; one query."""
    return list(Cluster.objects.stale().order_by("name"))


def stale_words(cluster: Cluster) -> str:
    """Explain what a watcher that does not report means, and what to do."""
    since = timesince(cluster.seen_at, depth=1)
    return (
        f"The watcher of the cluster {cluster.name} last reported {since} ago: what is shown of this cluster is as of "
        "then. Check that it runs (manage.py watch) and reaches the database."
    )
