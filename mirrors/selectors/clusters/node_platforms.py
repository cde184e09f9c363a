"""Platforms of the clusters' nodes, as their watchers report them. ``platforms: auto`` mirrors these platforms."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from django.db.models import Exists, OuterRef
from django.db.models.functions import Now

from mirrors.models import Cluster, ClusterNode, Registry, RegistryRole
from swapper_project.config import Config

REPORT_HOLDS: Final = timedelta(hours=1)
"""The period for which a watcher's last report counts. It reports every ten seconds, and its upgrade takes minutes."""


@dataclass(frozen=True, slots=True)
class PlatformChoice:
    """The platforms to mirror (``os/arch``; empty: all), and an explanation (``explanation``). ``never_listed``: the
    nodes of a cluster were never fully listed."""

    platforms: tuple[str, ...]
    explanation: str
    never_listed: bool = False


def platforms_to_mirror(config: Config) -> PlatformChoice:
    """Return the platforms of the configuration; for ``auto``, those of the nodes of clusters that use the target."""
    if config.platforms != "auto":
        return PlatformChoice(config.platforms, ", ".join(config.platforms) or "all")
    names = _clusters_of(config)
    rows = _listed(names)
    recent_platforms = {name: platforms for name, (platforms, is_recent) in rows.items() if is_recent}
    if missing := [name for name in names if name not in recent_platforms]:
        explanation = f"all, as no watcher reports the nodes of the cluster {missing[0]}"
        return PlatformChoice((), explanation, never_listed=any(name not in rows for name in missing))
    all_platforms = sorted({platform for platforms in recent_platforms.values() for platform in platforms})
    return PlatformChoice(
        tuple(all_platforms), f"{', '.join(all_platforms)}, which the nodes of {', '.join(recent_platforms)} have"
    )


def platforms_of_nodes(cluster: str) -> tuple[str, ...]:
    """Return the platforms last reported for a cluster; empty if unknown. The age of the report does not matter,
    because nodes change less often than watchers restart."""
    return tuple(_listed([cluster]).get(cluster, ((), False))[0])


def _clusters_of(config: Config) -> list[str]:
    name = config.target.name
    rows = Registry.objects.filter(role=RegistryRole.TARGET, endpoint=name.endpoint, prefix=name.prefix)
    users = {cluster for clusters in rows.values_list("clusters", flat=True) for cluster in clusters}
    return sorted({config.cluster_name, *users})


def _listed(names: list[str]) -> dict[str, tuple[list[str], bool]]:
    """Return, by cluster, the platforms of its nodes and whether the report is recent. Clusters whose nodes are not all
    listed with a platform are left out."""
    incomplete = ClusterNode.objects.filter(cluster=OuterRef("name"), platform="")
    rows = Cluster.objects.filter(~Exists(incomplete), name__in=names, listed_at__isnull=False).exclude(platforms=[])
    reports = rows.annotate(holds_since=Now() - REPORT_HOLDS).values_list("name", "platforms", "seen_at", "holds_since")
    return {name: (platforms, seen_at > since) for name, platforms, seen_at, since in reports}
