"""Entries about clusters that need attention: an unhealthy target, failing pulls, restart loops."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from django.urls import reverse

from mirrors.admin.overview.attention import Entry
from mirrors.admin.tools import links
from mirrors.models import TargetHealth
from mirrors.selectors.clusters.clusters import stale_clusters, stale_message
from mirrors.selectors.clusters.pull_failures import pull_advice
from mirrors.selectors.clusters.suspensions import health_message
from mirrors.selectors.overview.current_state import DashboardFacts
from mirrors.vocabulary.pull_causes import PullSide


def cluster_entries(facts: DashboardFacts, targets: Iterable[TargetHealth], *, cluster: str) -> Iterator[Entry]:
    """Yield the entries of one cluster, or of all if ``cluster`` is empty. Targets are first, because each affects all
    pods."""
    health = links.of_cluster("targethealth", cluster)
    for row in targets:
        if cluster not in ("", row.cluster):
            continue
        yield Entry(f"Target {row.state}: {row.registry}", health, None, health_message(row), None, "Review", health)
    if facts.is_stale:
        clusters = reverse("admin:mirrors_cluster_changelist")
        for stale in stale_clusters():
            if cluster in ("", stale.name):
                yield Entry(
                    f"Not watched: {stale.name}", clusters, None, stale_message(stale), None, "Review", clusters
                )
    yield from _failing_pulls(facts.pulls or (), cluster)
    if facts.loops:
        link = links.of_cluster("restartloop", cluster)
        text = "Pods of these workloads were deleted again and again right after they were swapped: they keep their "
        yield Entry(
            "Restart loops", link, facts.loops, f"{text}source. Exclude them with a filter.", None, "Review", link
        )


def _failing_pulls(pulls: Iterable[Mapping[str, Any]], cluster: str) -> Iterator[Entry]:
    """Yield failing pulls by cause and side, and separately those that end when the pod is created again."""
    counts: dict[tuple[str, str], int] = {}
    startable = 0
    for group in pulls:
        cause, at = group["cause"], group["at"]
        if at == PullSide.SOURCE and group["is_mirrored"]:
            startable += group["images"]
        else:
            counts[cause, at] = counts.get((cause, at), 0) + group["images"]
    for (cause, at), images in counts.items():
        link = links.of_cluster("pullfailure", cluster, cause__exact=cause, at__exact=at)
        title = f"Failing pulls from the {at}: {cause.replace('-', ' ')}"
        yield Entry(title, link, images, pull_advice(cause, at), None, "Review", link)
    if startable:
        link = links.of_cluster("pullfailure", cluster, at__exact=PullSide.SOURCE.value, is_mirrored__exact="1")
        text = "Their source fails, but the mirror has the image: new pods would start. The list shows the commands."
        yield Entry("Pods to recreate", link, startable, text, None, "Review", link)
