"""When a target counts as unhealthy for a cluster, and how it recovers."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from mirrors.models import TargetHealth
from mirrors.vocabulary.pull_causes import PullCause, PullSide
from mirrors.watcher.pulls.failing import FailingPull
from mirrors.watcher.pulls.health_rules import Health, PullObservation, next_health
from mirrors.watcher.pulls.pull_failures import PullFailures
from tests.watcher.rows import unhealthy_target
from tests.watcher.support import DENIED, NO_ROUTE, NOT_FOUND, TARGET, Cluster, config_in, container, pod

IMAGE = f"{TARGET}/docker.io/library/nginx:1.27"
NOW = 1_000_000.0


def failing(node: str, *, cause: PullCause = PullCause.DENIED, created: float = 100.0, **fields: Any) -> FailingPull:
    """Return a pull that has failed since its pod was created, ``created`` seconds ago."""
    side = fields.get("side", PullSide.TARGET)
    state = pod(node=node, name=f"on-{node}")._replace(created_at=NOW - created)
    return FailingPull(state.name, state, IMAGE, IMAGE, side, cause, "403", NOW - created)


def seen(*pulls: FailingPull, nodes: int = 3, **fields: Any) -> PullObservation:
    return PullObservation(pulls, fields.get("succeeded", {}), fields.get("started", {}), nodes, NOW)


def health(state: str, *, ago: float, **fields: Any) -> Health:
    """Return a state that has lasted ``ago`` seconds. The failures started 1,000 seconds ago on node-1 and node-2."""
    known = {"cause": "denied", "nodes": ("node-1", "node-2"), "began_at": NOW - 1_000, **fields}
    return Health(state, changed_at=NOW - ago, **known)


@pytest.mark.parametrize(
    ("before", "look", "after"),
    [
        # Pulls must fail on two nodes, or on the only one.
        (Health(), seen(failing("node-1"), failing("node-2")), "unhealthy"),
        (Health(), seen(failing("node-1"), failing("node-1")), "healthy"),
        (Health(), seen(failing("node-1"), nodes=1), "unhealthy"),
        (Health(), seen(nodes=1), "healthy"),
        (Health(), seen(nodes=0), "healthy"),
        (Health(), seen(failing("")), "healthy"),
        # Only failed pulls from the target count, with causes that concern the target itself.
        (Health(), seen(*(failing(n, cause=PullCause.UNREACHABLE) for n in "ab")), "unhealthy"),
        (Health(), seen(*(failing(n, cause=PullCause.NOT_FOUND) for n in "ab")), "healthy"),
        (Health(), seen(*(failing(n, cause=PullCause.PLATFORM_MISSING) for n in "ab")), "healthy"),
        (Health(), seen(*(failing(n, side=PullSide.SOURCE) for n in "ab")), "healthy"),
        # A pull on the node succeeded in the meantime, so the failure concerns one image.
        (Health(), seen(failing("a"), failing("b"), succeeded={"a": NOW - 50}), "healthy"),
        (Health(), seen(failing("a"), failing("b"), succeeded={"a": NOW - 150}), "unhealthy"),
        # Tests start after some minutes.
        (health("unhealthy", ago=299), seen(), "unhealthy"),
        (health("unhealthy", ago=301), seen(failing("node-1", created=500)), "testing"),
        # A failing test pod ends the test. An older failing pod does not.
        (health("testing", ago=200), seen(failing("node-1", created=100)), "unhealthy"),
        (health("testing", ago=200), seen(failing("node-1", created=300)), "testing"),
        # A pull that succeeds on a node that failed before, or on two others while none fails, ends the state.
        (health("unhealthy", ago=60), seen(succeeded={"node-1": NOW - 10}), "healthy"),
        (health("testing", ago=60), seen(failing("node-1", created=900), succeeded={"node-2": NOW - 10}), "healthy"),
        (health("testing", ago=60), seen(succeeded={"node-3": NOW - 10}), "testing"),
        (health("testing", ago=60), seen(succeeded={"node-3": NOW - 10, "node-4": NOW - 10}), "healthy"),
        (
            health("testing", ago=60),
            seen(failing("node-1", created=900), succeeded={"node-3": NOW - 10, "node-4": NOW - 10}),
            "testing",
        ),
        (health("testing", ago=60), seen(succeeded={"node-1": NOW - 1_001}), "testing"),
        # Test pods that start from images that their nodes had already.
        (health("testing", ago=601), seen(started={"node-3": NOW - 10}), "healthy"),
        (health("testing", ago=599), seen(started={"node-3": NOW - 10}), "testing"),
        (health("testing", ago=601), seen(started={"node-3": NOW - 700}), "testing"),
        # A test pod fails, but the state was written with a clock that was ahead: another watcher's, or one corrected
        # later.
        (health("testing", ago=-3_600), seen(failing("node-1", created=-10)), "unhealthy"),
        # After a recovery, pods that wait for their next attempt do not count.
        (health("healthy", ago=100), seen(failing("a", created=200), failing("b", created=200)), "healthy"),
        (health("healthy", ago=100), seen(failing("a", created=50), failing("b", created=50)), "unhealthy"),
        (health("healthy", ago=700), seen(failing("a", created=900), failing("b", created=900)), "unhealthy"),
    ],
)
def test_the_next_state_follows_from_the_observed_pulls(before: Health, look: PullObservation, after: str) -> None:
    assert next_health(before, look).state == after


def test_a_timestamp_in_the_future_delays_a_test_by_one_pause_at_most() -> None:
    ahead = health("unhealthy", ago=-86_400, began_at=NOW + 86_000)

    noted = next_health(ahead, seen())
    assert (noted.began_at, noted.changed_at) == (NOW, NOW)
    assert next_health(noted, replace(seen(), now=NOW + 301)).state == "testing"


def test_the_most_common_cause_is_recorded() -> None:
    pulls = [failing("a"), failing("b", cause=PullCause.UNREACHABLE), failing("c", cause=PullCause.UNREACHABLE)]

    found = next_health(Health(), seen(*pulls))

    assert (found.cause, found.nodes, found.began_at, found.changed_at) == ("unreachable", ("a", "b", "c"), NOW, NOW)


def test_a_target_becomes_unhealthy_and_recovers_when_a_pod_starts(tmp_path: Path, db: None) -> None:
    config = config_in(tmp_path)
    task, cluster = PullFailures(lambda: config), Cluster()
    cluster.put(*(pod(container(IMAGE, DENIED), name=f"web-{i}", node=f"node-{i}") for i in (1, 2)))
    task.run(cluster.inventory)
    row = TargetHealth.objects.get()
    assert (row.cluster, row.registry, row.state, row.cause) == ("default", TARGET, "unhealthy", "denied")
    assert (row.nodes, row.message) == (["node-1", "node-2"], DENIED)

    cluster.put(pod(container(IMAGE), name="web-1", node="node-1"))
    task.run(cluster.inventory)

    row.refresh_from_db()
    assert row.state == "healthy"
    # The other pod has not retried yet.
    task.run(cluster.inventory)
    row.refresh_from_db()
    assert row.state == "healthy"


def test_testing_starts_after_a_pause_and_ends_when_a_test_pod_fails(tmp_path: Path, db: None) -> None:
    config = config_in(tmp_path)
    task, cluster = PullFailures(lambda: config), Cluster()
    cluster.put(*(pod(container(IMAGE, NO_ROUTE), name=f"web-{i}", node=f"node-{i}", age=900) for i in (1, 2)))
    task.run(cluster.inventory)
    earlier = timezone.now() - timedelta(minutes=6)
    TargetHealth.objects.update(began_at=earlier, changed_at=earlier)

    task.run(cluster.inventory)
    assert TargetHealth.objects.get().state == "testing"

    TargetHealth.objects.update(changed_at=timezone.now() - timedelta(seconds=30))
    cluster.put(pod(container(IMAGE, NO_ROUTE), name="test", node="node-3", age=5))
    task.run(cluster.inventory)

    row = TargetHealth.objects.get()
    assert (row.state, row.nodes) == ("unhealthy", ["node-1", "node-2", "node-3"])
    assert time.time() - row.changed_at.timestamp() < 10


def test_pods_that_already_ran_do_not_count_as_recovery(tmp_path: Path, db: None) -> None:
    """Its image is already on the node, or was pulled earlier."""
    config = config_in(tmp_path)
    task, cluster = PullFailures(lambda: config), Cluster()
    cluster.put(*(pod(container(IMAGE), name=f"old-{i}", node=f"node-{i}", age=900) for i in (1, 2)))
    cluster.put(*(pod(container(f"{IMAGE}-new", DENIED), name=f"web-{i}", node=f"node-{i}") for i in (1, 2)))

    for _ in range(3):
        task.run(cluster.inventory)

    assert TargetHealth.objects.get().state == "unhealthy"


def test_a_restarted_container_that_cannot_pull_does_not_count_as_recovery(tmp_path: Path, db: None) -> None:
    config = config_in(tmp_path)
    task, cluster = PullFailures(lambda: config), Cluster()
    restarted = container(IMAGE, DENIED)._replace(started=True)
    cluster.put(*(pod(restarted, name=f"web-{i}", node=f"node-{i}", age=900) for i in (1, 2)))
    states = []

    for _ in range(3):
        task.run(cluster.inventory)
        states.append(TargetHealth.objects.get().state)

    assert states == ["unhealthy"] * 3


def test_failures_on_one_of_several_nodes_are_not_enough_without_node_access(tmp_path: Path, db: None) -> None:
    config = config_in(tmp_path)
    cluster = Cluster(nodes=0)
    cluster.put(
        pod(container(IMAGE, DENIED), name="web-1", node="node-1"),
        pod(container("nginx:1"), name="web-2", node="node-2"),
    )

    PullFailures(lambda: config).run(cluster.inventory)

    assert not TargetHealth.objects.exists()


def test_health_of_an_unconfigured_target_is_deleted_for_this_cluster_only(tmp_path: Path, db: None) -> None:
    config = config_in(tmp_path)
    unhealthy_target(registry="old.example.com")
    other = unhealthy_target(registry="old.example.com", cluster="west")

    PullFailures(lambda: config).run(Cluster().inventory)

    assert list(TargetHealth.objects.all()) == [other]


def test_a_missing_image_does_not_make_the_target_unhealthy(tmp_path: Path, db: None) -> None:
    config = config_in(tmp_path)
    cluster = Cluster()
    cluster.put(*(pod(container(IMAGE, NOT_FOUND), name=f"web-{i}", node=f"node-{i}") for i in (1, 2, 3)))

    PullFailures(lambda: config).run(cluster.inventory)

    assert not TargetHealth.objects.exclude(state="healthy").exists()
