"""Suspensions of swaps (targets that nodes cannot pull from, and restart loops), for messages and for webhooks."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from django.db.models import QuerySet

from mirrors.models import DEFAULT_CLUSTER, HealthState, RestartLoop, TargetHealth
from mirrors.selectors.clusters.pull_failures import pull_advice
from mirrors.vocabulary.pull_causes import PullSide

MOST_LOOPS: Final = 10_000
"""The most restart loops that a webhook holds in memory; if there are more, the newest."""


def suspended_targets() -> list[tuple[str, str, str]]:
    """Return the cluster, registry and state of targets that are not healthy."""
    rows = TargetHealth.objects.disturbed()
    return list(rows.order_by("id").values_list("cluster", "registry", "state"))


BANNER_FIELDS: Final = ("cluster", "registry", "state", "cause", "nodes")
"""The fields of a target that ``health_message`` needs."""


def disturbed_targets() -> QuerySet[TargetHealth]:
    """Return the targets that the nodes of a cluster cannot pull from."""
    return TargetHealth.objects.disturbed().order_by("cluster", "registry")


def target_from_banner(row: Mapping[str, Any]) -> TargetHealth:
    """Return an unsaved row with the values of the ``BANNER_FIELDS`` fields."""
    nodes = row["nodes"]
    return TargetHealth(**{**row, "nodes": json.loads(nodes) if isinstance(nodes, str) else nodes})


def health_message(row: TargetHealth) -> str:
    """Return a message about an unhealthy target: its effect on pods, the cause, and what to do."""
    nodes = f"{row.nodes[0]} and {len(row.nodes) - 1} other nodes" if len(row.nodes) > 1 else "".join(row.nodes)
    tests = "; a few are swapped as a test" if row.state == HealthState.TESTING else ""
    where = f" of the cluster {row.cluster}" if row.cluster != DEFAULT_CLUSTER else ""
    return (
        f"{nodes or 'Nodes'}{where} cannot pull from {row.registry}, so new pods keep their source (unless "
        f"onTargetUnhealthy is swap){tests}. {pull_advice(row.cause, PullSide.TARGET)}"
    )


def active_loops() -> dict[tuple[str, ...], float]:
    """Return the expiry of each active loop (Unix seconds), by cluster, namespace, kind and name of workload, and
    source."""
    rows = (
        RestartLoop.objects.active()
        .order_by("-id")
        .values_list("cluster", "namespace", "workload_kind", "workload", "source", "expires_at")
    )
    return {tuple(row): end.timestamp() for *row, end in rows[:MOST_LOOPS]}
