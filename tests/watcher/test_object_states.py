"""The state that is kept of objects of the API server: one line per rule."""

from __future__ import annotations

import json
from typing import Any

import pytest
from lightkube.core import decoders

from mirrors.kubernetes.objects import watched_objects as objects
from mirrors.kubernetes.objects.object_states import node_state, pod_state, template_state
from mirrors.kubernetes.objects.workloads import workload_of
from mirrors.watcher.destinations import Pods
from mirrors.watcher.inventory import Inventory

DIGEST = "sha256:" + "a" * 64
DATABASE = {"apiVersion": "x/v1", "kind": "Database", "name": "orders", "uid": "1", "controller": True}
INFO = {"operatingSystem": "linux", "architecture": "\x00" * 99}


def pod(status: Any = None, spec: Any = None, **metadata: Any) -> objects.Pod:
    container = {"name": "app", "image": "nginx:1"}
    body = {
        "metadata": {"name": "p", "namespace": "shop", "uid": "1", "resourceVersion": "7", **metadata},
        "spec": {"containers": [container], **(spec or {})},
        "status": {"containerStatuses": [{"name": "app", **(status or {})}]},
    }
    found: objects.Pod = decoders.decode_object(json.dumps(body).encode(), objects.Pod)
    return found


@pytest.mark.parametrize(
    ("status", "started", "digest", "reason"),
    [
        ({}, False, "", ""),
        ({"imageID": f"docker.io/library/nginx@{DIGEST}", "state": {"running": {"startedAt": "x"}}}, True, DIGEST, ""),
        ({"imageID": f"docker-pullable://nginx@{DIGEST}", "state": {"running": {}}}, True, DIGEST, ""),
        # The ID of an image that was built on the node is the digest of its configuration.
        ({"imageID": DIGEST, "state": {"running": {}}}, True, "", ""),
        ({"state": {"terminated": {"exitCode": 1}}}, True, "", ""),
        ({"state": {"waiting": {"reason": "ContainerCreating"}}}, False, "", "ContainerCreating"),
        ({"state": {"waiting": {"reason": "CrashLoopBackOff"}}, "lastState": {"terminated": {}}}, True, "", None),
        ({"state": {"waiting": {"reason": "ErrImagePull", "message": "not found"}}}, False, "", "ErrImagePull"),
    ],
)
def test_container_state_is_derived_from_the_pod_status(
    status: Any, started: bool, digest: str, reason: str | None
) -> None:
    (container,) = pod_state(pod(status)).containers

    assert (container.image, container.started, container.digest) == ("nginx:1", started, digest)
    assert reason is None or container.reason == reason


def test_a_long_pull_error_keeps_its_start_and_end() -> None:
    message = "failed to pull " + "x" * 5_000 + ": 403 Forbidden"
    (container,) = pod_state(pod({"state": {"waiting": {"reason": "ErrImagePull", "message": message}}})).containers

    assert container.fails_to_pull and len(container.message) < 600
    assert container.message.startswith("failed to pull") and container.message.endswith("403 Forbidden")


def test_pod_state_includes_images_of_all_container_types_and_volumes() -> None:
    spec = {
        "initContainers": [{"name": "init", "image": "busybox:1"}],
        "ephemeralContainers": [{"name": "debug", "image": "tools:1"}],
        "volumes": [{"name": "model", "image": {"reference": "model:1"}}, {"name": "data", "emptyDir": {}}],
    }
    state = pod_state(pod({"state": {"running": {}}}, spec))

    assert [one.image for one in state.containers] == ["busybox:1", "nginx:1", "tools:1", "model:1"]
    assert [one.name for one in state.containers if one.started] == ["app", "volumes/model"]


@pytest.mark.parametrize(
    ("kind", "name", "labels", "workload"),
    [
        ("ReplicaSet", "web-6c5d8b7f9d", {"pod-template-hash": "6c5d8b7f9d"}, ("Deployment", "web")),
        ("ReplicaSet", "web-6c5d8b7f9d", {}, ("ReplicaSet", "web-6c5d8b7f9d")),
        ("Job", "nightly-29412345", {}, ("CronJob", "nightly")),
        ("Job", "migrate", {}, ("Job", "")),
        ("StatefulSet", "db", {}, ("StatefulSet", "db")),
        ("Widget", "x", {}, ("Widget", "x")),
    ],
)
def test_the_workload_of_a_pod_is_derived_from_its_owner(
    kind: str, name: str, labels: dict[str, str], workload: tuple[str, str]
) -> None:
    owner = {"apiVersion": "x/v1", "kind": kind, "name": name, "uid": "9", "controller": True}
    state = pod_state(pod(ownerReferences=[owner], labels=labels))

    assert (state.workload, state.owner) == (workload, "9")


def test_deletion_time_is_the_time_of_the_delete_request() -> None:
    """The API server writes the end of the grace period, and later the kubelet's own deletion without one."""
    created = {"creationTimestamp": "2026-11-28T10:00:00Z"}
    requested = {**created, "deletionTimestamp": "2026-11-28T10:02:10Z", "deletionGracePeriodSeconds": 120}
    stopped = {**created, "deletionTimestamp": "2026-11-28T10:01:40Z", "deletionGracePeriodSeconds": 0}
    inventory = Inventory()
    pods = Pods(inventory, "")
    for metadata in (created, requested, stopped):
        pods.put(pod(**metadata))
    pods.remove(pod(**stopped))

    (deleted_pods,) = inventory.deleted_pods
    assert deleted_pods.deleted_at - deleted_pods.pod.created_at == 10


def decoded(kind: Any, body: Any) -> Any:
    metadata = {"name": "web", "namespace": "shop", "uid": "1", "resourceVersion": "7", **body.pop("metadata", {})}
    return decoders.decode_object(json.dumps({"metadata": metadata, **body}).encode(), kind)


TEMPLATE = {"spec": {"containers": [{"name": "a", "image": "nginx:1"}, {"name": "b", "image": "nginx:1"}]}}
OWNED = {
    "metadata": {"ownerReferences": [{"apiVersion": "v1", "kind": "X", "name": "x", "uid": "2", "controller": True}]}
}


@pytest.mark.parametrize(
    ("kind", "body", "images"),
    [
        (objects.Deployment, {"spec": {"template": TEMPLATE}}, ("nginx:1",)),
        (objects.ReplicaSet, {"spec": {"template": TEMPLATE}, **OWNED}, None),
        (objects.Job, {"spec": {"template": TEMPLATE, "suspend": True}}, ("nginx:1",)),
        (
            objects.Job,
            {"spec": {"template": TEMPLATE}, "status": {"conditions": [{"type": "Failed", "status": "True"}]}},
            None,
        ),
        (objects.CronJob, {"spec": {"jobTemplate": {"spec": {"template": TEMPLATE}}}}, ("nginx:1",)),
        (objects.Deployment, {}, ()),
        # Created by an operator: no other template that the watcher reads has its images.
        (objects.StatefulSet, {"spec": {"template": TEMPLATE}, **OWNED}, ("nginx:1",)),
    ],
)
def test_template_state_depends_on_kind_owner_and_job_status(
    kind: Any, body: Any, images: tuple[str, ...] | None
) -> None:
    state = template_state(kind.__name__, decoded(kind, dict(body)))

    assert (state.images if state else None) == images


@pytest.mark.parametrize(
    ("owners", "workload"),
    [
        ([DATABASE], ("Database", "orders")),
        ([{**DATABASE, "kind": "My-Kind", "name": "a.b"}], ("My-Kind", "a.b")),
        ([{**DATABASE, "controller": None}], ("Database", "orders")),
        ([{**DATABASE, "controller": False}], ("Database", "orders")),
        ([{**DATABASE, "controller": False}, {**DATABASE, "kind": "Other"}], ("Other", "orders")),
        # It is unknown which of them creates the pod.
        ([{**DATABASE, "controller": False}, {**DATABASE, "controller": False, "uid": "2"}], ("", "")),
        ([], ("", "")),
    ],
)
def test_watcher_and_webhook_report_the_same_owner(owners: list[Any], workload: tuple[str, str]) -> None:
    state = pod_state(pod(ownerReferences=owners))

    assert state.workload == workload and bool(state.owner) == bool(workload[0])
    assert workload_of({"metadata": {"ownerReferences": owners}}) == workload


def test_nul_characters_are_replaced() -> None:
    message = "unexpected status: \x00" + "x" * 5_000 + "\x00 403"
    (container,) = pod_state(pod({"state": {"waiting": {"reason": "ErrImagePull", "message": message}}})).containers

    assert "\x00" not in container.message and container.message.endswith("� 403")
    assert node_state(decoded(objects.Node, {"status": {"nodeInfo": INFO}})).platform == "linux/" + "�" * 34


def test_node_state_has_name_platform_and_readiness() -> None:
    info = {"operatingSystem": "linux", "architecture": "arm64"}
    status = {"nodeInfo": info, "conditions": [{"type": "Ready", "status": "True"}]}

    assert node_state(decoded(objects.Node, {"status": status})) == ("web", "linux/arm64", True)
    assert node_state(decoded(objects.Node, {})) == ("web", "", False)
