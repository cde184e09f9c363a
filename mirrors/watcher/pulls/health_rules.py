"""The rules by which a target counts as unhealthy for a cluster, and as recovered. Pure: values in, a state out.

healthy --(pods on two nodes cannot pull)--> unhealthy --(five minutes)--> testing --(a pull works)--> healthy
                                                 ^--------(a test pod fails)-------'
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from mirrors.vocabulary.pull_causes import PullCause, PullSide
from mirrors.watcher.pulls.failing import FailingPull

TARGET_CAUSES: Final = frozenset({PullCause.DENIED, PullCause.UNREACHABLE})
"""Causes that are about the target, and not about one image."""

NODES_NEEDED: Final = 2
"""Nodes whose pods cannot pull: one alone may be the node's own fault."""

TESTED_AFTER: Final = 300.0
"""Seconds without a swap before the first test: the kubelet's longest pause between two tries of a pull."""

RECOVERED_AFTER: Final = 600.0
"""Seconds after a recovery in which older pods do not count: each of them tries again within 300."""

QUIET_FOR: Final = 600.0
"""Seconds of tests that all started, from images that their nodes had, after which the target counts as healthy."""

MOST_LISTED_NODES: Final = 200
"""Nodes that are listed in a row."""


@dataclass(frozen=True, slots=True)
class Health:
    """A target's health in a cluster. Times are seconds since the epoch."""

    state: str = "healthy"
    cause: str = ""
    message: str = ""
    nodes: tuple[str, ...] = ()
    """Those that could not pull."""
    began_at: float = 0.0
    changed_at: float = 0.0


@dataclass(frozen=True, slots=True)
class PullsSeen:
    """The state of the pods of a cluster at ``now``. ``worked`` is when a pull from the target last worked on a node,
    ``started`` when the newest pod was created that has started from the target there."""

    failing: Sequence[FailingPull]
    worked: Mapping[str, float]
    started: Mapping[str, float]
    nodes: int
    now: float


def next_health(health: Health, seen: PullsSeen) -> Health:
    """The health after this look; the same object where nothing has changed."""
    if health.changed_at > seen.now:
        # The clock was ahead when it was written, of this watcher or of another one.
        health = replace(health, began_at=min(health.began_at, seen.now), changed_at=seen.now)
    failing = _failing(health, seen)
    nodes = {f.pod.node for f in failing}
    if health.state == "healthy":
        if len(nodes) < min(NODES_NEEDED, max(seen.nodes, 1)):
            return health
        return _unhealthy(Health(began_at=seen.now), failing, seen.now)
    if _has_recovered(health, failing, seen):
        return replace(health, state="healthy", changed_at=seen.now)
    if health.state == "testing":
        is_refuted = any(f.pod.created_at > health.changed_at for f in failing)
        return _unhealthy(health, failing, seen.now) if is_refuted else health
    if seen.now - health.changed_at >= TESTED_AFTER:
        return replace(health, state="testing", changed_at=seen.now)
    return health if nodes <= set(health.nodes) else replace(health, nodes=_listed({*health.nodes, *nodes}))


def _failing(health: Health, seen: PullsSeen) -> list[FailingPull]:
    """Pulls that the target itself makes fail, on nodes on which none has worked since they began to fail."""
    has_settled = health.state != "healthy" or seen.now - health.changed_at >= RECOVERED_AFTER
    counted_from = 0.0 if has_settled else health.changed_at
    return [
        f
        for f in seen.failing
        if f.side is PullSide.TARGET
        and f.cause in TARGET_CAUSES
        and f.pod.node
        and f.pod.created_at >= counted_from
        and seen.worked.get(f.pod.node, 0.0) < f.since
    ]


def _has_recovered(health: Health, failing: Sequence[FailingPull], seen: PullsSeen) -> bool:
    """A pull has worked on a node that could not; or on two others, and nothing fails; or tests start, and keep to."""
    worked = {node for node, at in seen.worked.items() if at > health.began_at}
    if worked & set(health.nodes):
        return True
    if failing:
        return False
    if len(worked) >= NODES_NEEDED:
        return True
    is_quiet = health.state == "testing" and seen.now - health.changed_at >= QUIET_FOR
    return is_quiet and any(created > health.changed_at for created in seen.started.values())


def _unhealthy(health: Health, failing: Sequence[FailingPull], now: float) -> Health:
    """By the cause that most pods have, with one of its messages."""
    cause = Counter(f.cause for f in failing).most_common(1)[0][0]
    message = next(f.message for f in failing if f.cause is cause)
    nodes = _listed({*health.nodes, *(f.pod.node for f in failing)})
    return replace(health, state="unhealthy", cause=cause.value, message=message, nodes=nodes, changed_at=now)


def _listed(nodes: Collection[str]) -> tuple[str, ...]:
    return tuple(sorted(nodes)[:MOST_LISTED_NODES])
