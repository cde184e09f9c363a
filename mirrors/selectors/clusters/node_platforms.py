"""Platforms of the clusters' nodes, as their watchers report them: what ``platforms: auto`` mirrors."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from django.db.models import Exists, OuterRef
from django.db.models.functions import Now

from mirrors.models import Cluster, ClusterNode, Registry, RegistryRole
from swapper_project.config import Config

REPORT_HOLDS: Final = timedelta(hours=1)
"""How long a watcher's last report counts: it reports each ten seconds, and an upgrade of it takes minutes."""


@dataclass(frozen=True, slots=True)
class PlatformChoice:
    """``platforms`` (``os/arch``) are those to mirror, empty: all. ``never_listed``: nothing was ever known of the
    nodes of a cluster."""

    platforms: tuple[str, ...]
    words: str
    never_listed: bool = False


def platforms_to_mirror(config: Config) -> PlatformChoice:
    """Return the platforms of the configuration; for ``auto`` those of nodes of all clusters that use the target."""
    if config.platforms != "auto":
        return PlatformChoice(config.platforms, ", ".join(config.platforms) or "all")
    names = _clusters_of(config)
    rows = _listed(names)
    known = {name: platforms for name, (platforms, is_recent) in rows.items() if is_recent}
    if missing := [name for name in names if name not in known]:
        words = f"all, as no watcher reports the nodes of the cluster {missing[0]}"
        return PlatformChoice((), words, never_listed=any(name not in rows for name in missing))
    found = sorted({platform for platforms in known.values() for platform in platforms})
    return PlatformChoice(tuple(found), f"{', '.join(found)}, which the nodes of {', '.join(known)} have")


def platforms_of_nodes(cluster: str) -> tuple[str, ...]:
    """Those last reported of a cluster, however long ago: nodes change less than watchers restart. Empty: unknown."""
    return tuple(_listed([cluster]).get(cluster, ((), False))[0])


def _clusters_of(config: Config) -> list[str]:
    name = config.target.name
    rows = Registry.objects.filter(role=RegistryRole.TARGET, endpoint=name.endpoint, prefix=name.prefix)
    users = {cluster for clusters in rows.values_list("clusters", flat=True) for cluster in clusters}
    return sorted({config.cluster_name, *users})


def _listed(names: list[str]) -> dict[str, tuple[list[str], bool]]:
    """Of clusters whose nodes have all been listed, by name: the nodes' platforms, and whether that is recent."""
    unclear = ClusterNode.objects.filter(cluster=OuterRef("name"), platform="")
    rows = Cluster.objects.filter(~Exists(unclear), name__in=names, listed_at__isnull=False).exclude(platforms=[])
    found = rows.annotate(holds_since=Now() - REPORT_HOLDS).values_list("name", "platforms", "seen_at", "holds_since")
    return {name: (platforms, seen_at > since) for name, platforms, seen_at, since in found}
