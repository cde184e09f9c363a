"""Stores the health of the target in a cluster, which webhooks read."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime

import structlog

from mirrors.kubernetes.objects.pod_states import PodState
from mirrors.models import HealthState, TargetHealth
from mirrors.watcher.pulls.failing import FailingPull
from mirrors.watcher.pulls.health_rules import Health, PullObservation, next_health
from mirrors.watcher.pulls.successful_pulls import SuccessfulPulls
from swapper_project.config import Config

log = structlog.get_logger(__name__)


class HealthWriter:
    """The writer of the target's health. Each watcher has one instance."""

    def __init__(self) -> None:
        self._successful = SuccessfulPulls()

    def update(
        self, config: Config, pods: Sequence[tuple[str, PodState]], failing: Sequence[FailingPull], nodes: int
    ) -> None:
        target, now = config.target.name, time.time()
        self._successful.update(pods, failing, target, now)
        rows = {row.registry: row for row in TargetHealth.objects.filter(cluster=config.cluster_name)}
        row = rows.pop(target.endpoint, None)
        for other in rows.values():
            # The configuration has another target now.
            other.delete()
        if row is None and not failing:
            return
        health = _health_of(row) if row else Health()
        observation = PullObservation(failing, self._successful.at, self._successful.started_since, nodes, now)
        new_health = next_health(health, observation)
        if new_health != health:
            _write(row or TargetHealth(cluster=config.cluster_name, registry=target.endpoint), new_health)
        if new_health.state != health.state:
            _log(config, new_health)


def _health_of(row: TargetHealth) -> Health:
    began_at, changed_at = row.began_at.timestamp(), row.changed_at.timestamp()
    return Health(row.state, row.cause, row.message, tuple(row.nodes), began_at, changed_at)


def _write(row: TargetHealth, health: Health) -> None:
    row.state, row.cause, row.message, row.nodes = health.state, health.cause, health.message, list(health.nodes)
    row.began_at = datetime.fromtimestamp(health.began_at, UTC)
    row.changed_at = datetime.fromtimestamp(health.changed_at, UTC)
    row.save()


def _log(config: Config, health: Health) -> None:
    facts = {"cluster": config.cluster_name, "registry": config.target.name.endpoint}
    if health.state == HealthState.UNHEALTHY:
        log.error(
            "Nodes cannot pull from the target registry",
            **facts,
            cause=health.cause,
            nodes=list(health.nodes[:10]),
            error=health.message,
            new_pods="keep their source" if config.on_target_unhealthy == "keep" else "are still swapped",
        )
    elif health.state == HealthState.TESTING:
        log.info("A few pods are swapped to test whether nodes can pull from the target registry again", **facts)
    else:
        log.info("Nodes can pull from the target registry again", **facts)
