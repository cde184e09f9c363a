"""The clusters that share this database, and how pages name their namespaces."""

from __future__ import annotations

from mirrors.models import Registry, RegistryRole
from mirrors.selectors.declared import clusters_of_rows
from mirrors.vocabulary.clusters import ClusterNamespace


def known_clusters() -> list[str]:
    """Those whose configuration files have been written; one query."""
    targets = Registry.objects.filter(role=RegistryRole.TARGET).values_list("clusters", flat=True)
    return sorted({name for names in targets for name in names})


def place_name(cluster: str, namespace: str) -> str:
    """A namespace as people read it: of another cluster than this one, with the cluster's name."""
    if not namespace or cluster in clusters_of_rows():
        return namespace
    return str(ClusterNamespace(cluster, namespace))
