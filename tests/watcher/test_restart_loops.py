"""Controllers that compare images and delete swapped pods, and cases that look similar."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from mirrors.kubernetes.objects.pod_states import PodState
from mirrors.kubernetes.objects.workloads import Workload
from mirrors.models import OperatorAction, RestartLoop
from mirrors.services import release_loops
from mirrors.watcher.pulls.restart_loops import RestartLoops
from tests.watcher.support import TARGET, Cluster, config_in, container, mirrored, pod

pytestmark = pytest.mark.django_db

IMAGE = f"{TARGET}/docker.io/library/nginx:1.27"
DATABASE = Workload("Database", "orders")


@pytest.fixture
def task(tmp_path: Path) -> RestartLoops:
    config = config_in(tmp_path)
    mirrored("nginx:1.27")
    return RestartLoops(lambda: config)


def deleted(index: int, *, lived: float = 20.0, every: float = 30.0, image: str = IMAGE, **fields: Any) -> PodState:
    """Return the pod of a round: it lived ``lived`` seconds and was created ``every`` seconds after the previous
    one."""
    age = 300.0 - index * every + lived
    known = {"workload": DATABASE, "owner": "db-uid", "name": f"orders-{index}", "age": age, **fields}
    return pod(container(image), **known)


def rounds(task: RestartLoops, pods: list[PodState], *, lived: float = 20.0) -> None:
    """Delete the pods, each in a separate turn."""
    for each in pods:
        cluster = Cluster()
        created_ago = timezone.now().timestamp() - each.created_at
        cluster.depart(each, ago=created_ago - lived)
        task.run(cluster.inventory)


def test_a_loop_is_detected_after_five_rounds(task: RestartLoops) -> None:
    rounds(task, [deleted(index) for index in range(4)])
    assert not RestartLoop.objects.exists()

    rounds(task, [deleted(4)])

    row = RestartLoop.objects.active().get()
    assert (row.cluster, row.namespace, row.workload_kind, row.workload) == ("default", "shop", "Database", "orders")
    assert (row.source, row.image, row.count) == ("docker.io/library/nginx:1.27", IMAGE, 5)
    assert abs(row.expires_at - row.detected_at - timedelta(days=1)) < timedelta(seconds=30)


@pytest.mark.parametrize(
    ("fields", "lived"),
    [
        ({"image": "nginx:1.27"}, 20.0),
        ({"ended": True}, 20.0),
        ({"owner": ""}, 20.0),
        ({}, 61.0),
    ],
    ids=["not swapped", "of a Job", "without an owner", "that lived"],
)
def test_unswapped_finished_unowned_or_long_lived_pods_are_not_a_loop(
    task: RestartLoops, fields: dict[str, Any], lived: float
) -> None:
    rounds(task, [deleted(index, lived=lived, **fields) for index in range(8)], lived=lived)

    assert not RestartLoop.objects.exists()


def test_rolling_updates_are_not_a_loop(task: RestartLoops) -> None:
    """Each round has its own ReplicaSet."""
    rounds(task, [deleted(index, owner=f"rs-{index}") for index in range(8)])

    assert not RestartLoop.objects.exists()


def test_a_scale_down_right_after_a_scale_up_is_not_a_loop(task: RestartLoops) -> None:
    cluster = Cluster()
    cluster.depart(*(deleted(0, name=f"web-{index}") for index in range(50)), ago=280)

    task.run(cluster.inventory)

    assert not RestartLoop.objects.exists()


def test_rounds_that_are_far_apart_are_not_a_loop(task: RestartLoops) -> None:
    rounds(task, [deleted(index, every=160.0) for index in range(-8, 1)])

    assert not RestartLoop.objects.exists()


def test_a_workload_that_keeps_other_pods_with_the_image_is_not_a_loop(task: RestartLoops) -> None:
    rounds(task, [deleted(index) for index in range(4)])
    cluster = Cluster()
    cluster.put(pod(container(IMAGE), workload=DATABASE, owner="db-uid", name="orders-old", age=900))
    cluster.depart(deleted(4), ago=160)

    task.run(cluster.inventory)

    assert not RestartLoop.objects.exists()


def test_a_controller_that_replaces_pods_one_by_one_is_a_loop(task: RestartLoops) -> None:
    """The other pods wait for their turn, and their image is also not the one that the controller wants."""
    rounds(task, [deleted(index, name="orders-0") for index in range(4)])
    cluster = Cluster()
    cluster.put(pod(container(IMAGE), workload=DATABASE, owner="db-uid", name="orders-1", age=900))
    cluster.depart(deleted(4, name="orders-0"), ago=160)

    task.run(cluster.inventory)

    assert RestartLoop.objects.active().get().workload == "orders"


def test_a_loop_ends_by_release_or_expiry_and_can_be_detected_again(task: RestartLoops) -> None:
    rounds(task, [deleted(index) for index in range(5)])
    row = RestartLoop.objects.get()

    assert release_loops(loop_ids=[row.pk], requested_by="ann") == 1
    assert release_loops(loop_ids=[row.pk], requested_by="ann") == 0
    assert not RestartLoop.objects.active().exists()
    assert [(a.actor, a.action, a.subject) for a in OperatorAction.objects.all()] == [("ann", "release", row.source)]

    rounds(task, [deleted(index) for index in range(5)])
    assert RestartLoop.objects.active().count() == 1

    RestartLoop.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert not RestartLoop.objects.active().exists()

    RestartLoop.objects.update(expires_at=timezone.now() - timedelta(days=8))
    task.run(Cluster().inventory)
    assert not RestartLoop.objects.exists()
