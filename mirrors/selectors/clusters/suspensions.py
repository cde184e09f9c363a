"""What suspends swaps, as webhooks hold it in memory: targets that nodes cannot pull from, and restart loops."""

from __future__ import annotations

from typing import Final

from mirrors.models import RestartLoop, TargetHealth

MOST_LOOPS: Final = 10_000
"""Restart loops that a webhook holds; of more, the newest."""


def suspended_targets() -> list[tuple[str, str, str]]:
    """Cluster, registry and state of targets that are not healthy."""
    rows = TargetHealth.objects.disturbed()
    return list(rows.order_by("id").values_list("cluster", "registry", "state"))


def active_loops() -> dict[tuple[str, ...], float]:
    """Seconds since the epoch at which each loop ends, by cluster, namespace, kind and name of workload, and source."""
    rows = (
        RestartLoop.objects.active()
        .order_by("-id")
        .values_list("cluster", "namespace", "workload_kind", "workload", "source", "expires_at")
    )
    return {tuple(row): end.timestamp() for *row, end in rows[:MOST_LOOPS]}
