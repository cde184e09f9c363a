"""The rules by which a target becomes unhealthy for a cluster, and recovers. Pure functions.

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
"""Causes that concern the target as a whole, not one image."""

NODES_NEEDED: Final = 2
"""Nodes with failing pulls that make a target unhealthy: a single node may itself be the cause."""

TESTED_AFTER: Final = 300.0
"""Seconds in the state unhealthy before a test starts: the kubelet's longest back-off between two pulls."""

RECOVERED_AFTER: Final = 600.0
"""Seconds after a recovery in which failures of older pods are ignored: their pulls are retried within 300."""

QUIET_TEST_SECONDS: Final = 600.0
"""Seconds of testing without a failure after which the target is healthy, if a test pod started from an image that its
node already had."""

MOST_LISTED_NODES: Final = 200
"""The most nodes that a row lists."""


@dataclass(frozen=True, slots=True)
class Health:
    """A target's health in a cluster. Times are seconds since the epoch."""

    state: str = "healthy"
    cause: str = ""
    message: str = ""
    nodes: tuple[str, ...] = ()
    """The nodes with failing pulls."""
    began_at: float = 0.0
    changed_at: float = 0.0


@dataclass(frozen=True, slots=True)
class PullObservation:
    """The pulls in a cluster, observed at ``now``. By node, ``succeeded`` is when a pull from the target last
    succeeded, and ``started`` is when the newest pod was created that has started with an image of the target."""

    failing: Sequence[FailingPull]
    succeeded: Mapping[str, float]
    started: Mapping[str, float]
    nodes: int
    now: float


def next_health(health: Health, observation: PullObservation) -> Health:
    """Return the health after this observation; an equal value if nothing has changed."""
    if health.changed_at > observation.now:
        # The clock of this or another watcher was ahead when the health was written.
        health = replace(health, began_at=min(health.began_at, observation.now), changed_at=observation.now)
    failing = _failing(health, observation)
    nodes = {f.pod.node for f in failing}
    if health.state == "healthy":
        if len(nodes) < min(NODES_NEEDED, max(observation.nodes, 1)):
            return health
        return _unhealthy(Health(began_at=observation.now), failing, observation.now)
    if _has_recovered(health, failing, observation):
        return replace(health, state="healthy", changed_at=observation.now)
    if health.state == "testing":
        has_failed = any(f.pod.created_at > health.changed_at for f in failing)
        return _unhealthy(health, failing, observation.now) if has_failed else health
    if observation.now - health.changed_at >= TESTED_AFTER:
        return replace(health, state="testing", changed_at=observation.now)
    return health if nodes <= set(health.nodes) else replace(health, nodes=_listed({*health.nodes, *nodes}))


def _failing(health: Health, observation: PullObservation) -> list[FailingPull]:
    """Return the pulls that fail because of the target, on nodes where no pull has succeeded since the failure."""
    has_settled = health.state != "healthy" or observation.now - health.changed_at >= RECOVERED_AFTER
    counted_from = 0.0 if has_settled else health.changed_at
    return [
        f
        for f in observation.failing
        if f.side is PullSide.TARGET
        and f.cause in TARGET_CAUSES
        and f.pod.node
        and f.pod.created_at >= counted_from
        and observation.succeeded.get(f.pod.node, 0.0) < f.since
    ]


def _has_recovered(health: Health, failing: Sequence[FailingPull], observation: PullObservation) -> bool:
    """Return whether the target has recovered: a pull succeeded on a node that had failed; or no pull fails, and pulls
    succeeded on two other nodes, or a test pod started and the test has lasted for ``QUIET_TEST_SECONDS``."""
    succeeded = {node for node, at in observation.succeeded.items() if at > health.began_at}
    if succeeded & set(health.nodes):
        return True
    if failing:
        return False
    if len(succeeded) >= NODES_NEEDED:
        return True
    is_quiet = health.state == "testing" and observation.now - health.changed_at >= QUIET_TEST_SECONDS
    return is_quiet and any(created > health.changed_at for created in observation.started.values())


def _unhealthy(health: Health, failing: Sequence[FailingPull], now: float) -> Health:
    """Return the unhealthy state, with the most frequent cause and one of its messages."""
    cause = Counter(f.cause for f in failing).most_common(1)[0][0]
    message = next(f.message for f in failing if f.cause is cause)
    nodes = _listed({*health.nodes, *(f.pod.node for f in failing)})
    return replace(health, state="unhealthy", cause=cause.value, message=message, nodes=nodes, changed_at=now)


def _listed(nodes: Collection[str]) -> tuple[str, ...]:
    return tuple(sorted(nodes)[:MOST_LISTED_NODES])
