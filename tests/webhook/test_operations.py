"""The images that can be swapped in each operation."""

from __future__ import annotations

import copy
import json
from typing import Any

from tests.support.system import Webhook, pod_of
from webhook.decision.patch import ANNOTATION

REDIS = "docker.io/library/redis:7"


def full_pod() -> dict[str, Any]:
    pod = pod_of("nginx:1.25", "redis:7")
    pod["spec"]["initContainers"] = [
        {"name": "init", "image": "busybox"},
        {"name": "sidecar", "image": "envoy:1", "restartPolicy": "Always"},
    ]
    pod["spec"]["ephemeralContainers"] = [{"name": "debug", "image": "alpine:3"}]
    pod["spec"]["volumes"] = [
        {"name": "data", "image": {"reference": "quay.io/models/llm:1", "pullPolicy": "IfNotPresent"}},
        {"name": "tmp", "emptyDir": {}},
    ]
    return pod


def test_creation_swaps_containers_init_containers_and_image_volumes(always: Webhook) -> None:
    response = always.admit(full_pod())

    host = always_target(always)
    assert response.images == {
        "/spec/initContainers/0/image": f"{host}/docker.io/library/busybox:latest",
        "/spec/initContainers/1/image": f"{host}/docker.io/library/envoy:1",
        "/spec/containers/0/image": f"{host}/docker.io/library/nginx:1.25",
        "/spec/containers/1/image": f"{host}/docker.io/library/redis:7",
        "/spec/volumes/0/image/reference": f"{host}/quay.io/models/llm:1",
    }


def test_a_label_edit_on_a_running_pod_changes_no_image(always: Webhook) -> None:
    old = full_pod()
    new = copy.deepcopy(old)
    new["metadata"]["labels"] = {"edited": "yes"}

    assert always.admit(new, operation="UPDATE", old=old).patch == []


def test_an_update_swaps_only_the_changed_image(always: Webhook) -> None:
    old = full_pod()
    new = copy.deepcopy(old)
    new["spec"]["containers"][1]["image"] = "redis:8"

    assert list(always.admit(new, operation="UPDATE", old=old).images) == ["/spec/containers/1/image"]


def test_an_update_without_the_old_object_changes_nothing(always: Webhook) -> None:
    assert always.admit(full_pod(), operation="UPDATE", old=None).patch == []


def test_containers_are_matched_by_name_not_by_position(always: Webhook) -> None:
    old = pod_of("nginx:1", "redis:7")
    new = copy.deepcopy(old)
    new["spec"]["containers"].reverse()

    assert always.admit(new, operation="UPDATE", old=old).patch == []


def test_adding_a_debug_container_swaps_only_its_image(always: Webhook) -> None:
    old = full_pod()
    new = copy.deepcopy(old)
    new["spec"]["ephemeralContainers"].append({"name": "debug-2", "image": "busybox:1.36"})

    response = always.admit(new, operation="UPDATE", sub_resource="ephemeralcontainers", old=old)

    assert list(response.images) == ["/spec/ephemeralContainers/1/image"]


def test_a_debug_container_does_not_change_the_annotation(always: Webhook) -> None:
    """The API server drops all changes of metadata in an update of ephemeral containers."""
    swapped = f"{always_target(always)}/docker.io/library/nginx:1.25"
    old = pod_of(swapped, annotations={ANNOTATION: json.dumps({"c0": "nginx:1.25"})})
    new = copy.deepcopy(old)
    new["spec"]["ephemeralContainers"] = [{"name": "debug", "image": "busybox:1.36"}]

    response = always.admit(new, operation="UPDATE", sub_resource="ephemeralcontainers", old=old)

    assert [operation["path"] for operation in response.patch] == ["/spec/ephemeralContainers/0/image"]


def test_an_existing_debug_container_is_not_changed(always: Webhook) -> None:
    pod = full_pod()

    assert always.admit(pod, operation="UPDATE", sub_resource="ephemeralcontainers", old=pod).patch == []


def always_target(webhook: Webhook) -> str:
    """Return the host of the target registry from the configuration file."""
    import yaml

    host: str = yaml.safe_load(webhook.config.read_text())["target"]["oci"]["endpoint"]
    return host
