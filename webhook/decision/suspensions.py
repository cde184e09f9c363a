"""Suspended swaps, as pure values: swaps of all images while nodes cannot pull from the target, and swaps of one image
of a workload whose pods are deleted again and again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple


class TargetState(NamedTuple):
    """Whether the nodes of a cluster can pull from a registry: ``healthy``, ``unhealthy`` or ``testing``."""

    cluster: str
    registry: str
    state: str


class RestartLoopKey(NamedTuple):
    """An image of a workload whose pods were deleted again and again."""

    cluster: str
    namespace: str
    workload_kind: str
    workload: str
    source: str


@dataclass(frozen=True, slots=True)
class Suspensions:
    """The suspensions of one cluster. ``loops`` has the time (seconds since the epoch) at which each restart loop
    expires."""

    target: str = ""
    """``unhealthy``, ``testing``, or empty."""
    loops: Mapping[tuple[str, str, str, str], float] = field(default_factory=dict)
    """Keys are the namespace, kind and name of the workload, and the source."""

    def __bool__(self) -> bool:
        return bool(self.target or self.loops)


NO_SUSPENSIONS: Final = Suspensions()


def suspensions_of(
    cluster: str,
    registry: str,
    *,
    targets: Sequence[TargetState],
    loops: Mapping[RestartLoopKey, float],
    keeps_sources: bool,
) -> Suspensions:
    """Return the suspensions that apply in a cluster with this target. ``keeps_sources``: an unhealthy target suspends
    swaps."""
    state = next((t.state for t in targets if (t.cluster, t.registry) == (cluster, registry)), "")
    own = {loop[1:]: end for loop, end in loops.items() if loop.cluster == cluster}
    is_suspended = keeps_sources and state in ("unhealthy", "testing")
    return Suspensions(state if is_suspended else "", own) if is_suspended or own else NO_SUSPENSIONS
