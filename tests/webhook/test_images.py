"""Results for single images: names at the target, filters, opt-out and annotation."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from mirrors.demo.registry import MemoryRegistry
from tests.support.databases import DatabaseTemplate, query
from tests.support.system import Answer, Webhook, pod_of, running_webhook

DIGEST = "sha256:" + "a" * 64


def swapped(answer: Answer) -> str | None:
    """Return the first container's new image, or None."""
    return answer.images.get("/spec/containers/0/image")


@pytest.mark.parametrize(
    ("image", "name"),
    [
        ("nginx", "docker.io/library/nginx:latest"),
        ("nginx:1.25", "docker.io/library/nginx:1.25"),
        ("bitnami/redis", "docker.io/bitnami/redis:latest"),
        ("index.docker.io/library/nginx:1", "docker.io/library/nginx:1"),
        ("GHCR.io/org/app:v1", "ghcr.io/org/app:v1"),
        ("registry.example.com:5000/app:1", "registry.example.com_5000/app:1"),
        (f"quay.io/a/b:1@{DIGEST}", f"quay.io/a/b:1@{DIGEST}"),
        (f"quay.io/a/b@{DIGEST}", f"quay.io/a/b@{DIGEST}"),
    ],
)
def test_target_names(always: Webhook, target: MemoryRegistry, image: str, name: str) -> None:
    assert swapped(always.admit(pod_of(image))) == f"{target.host}/{name}"


def test_a_too_long_target_name_ends_in_a_hash(always: Webhook, target: MemoryRegistry) -> None:
    long = f"registry.example.com/{'team/' * 47}app"

    new = swapped(always.admit(pod_of(f"{long}:1"))) or ""

    repository = new.removeprefix(f"{target.host}/").removesuffix(":1")
    assert len(repository) <= 255
    assert re.fullmatch(r"registry\.example\.com/team/.*-[0-9a-f]{32}", repository)


def test_an_image_already_at_the_target_is_kept(always: Webhook, target: MemoryRegistry) -> None:
    assert always.admit(pod_of(f"{target.host}/docker.io/library/nginx:1")).patch == []


def test_the_target_prefix_matches_whole_path_segments(delayed: Webhook, target: MemoryRegistry) -> None:
    """``…/mirror-other/app`` is not below the target ``…/mirror``."""
    host = target.host

    response = delayed.admit(pod_of(f"{host}/mirror/x:1", f"{host}/mirror-other/x:1", f"{host}/mirror:1"))

    assert delayed.reasons(response) == ["already-at-target", "absent", "already-at-target"]


@pytest.mark.parametrize("where", ["annotations", "labels"])
def test_a_pod_opts_out_with_an_annotation_or_label(always: Webhook, where: str) -> None:
    assert always.admit(pod_of("nginx", **{where: {"k8s-image-swapper/skip": "true"}})).patch == []
    assert always.admit(pod_of("nginx", **{where: {"k8s-image-swapper/skip": "false"}})).patch != []


def test_filters_see_the_namespace_of_the_request(always: Webhook) -> None:
    pod = pod_of("nginx")

    assert always.admit(pod, namespace="kube-system").patch == []
    response = always.admit(pod, namespace="default")
    assert swapped(response)
    assert all("namespace" not in operation["path"] for operation in response.patch)


def test_filters_see_the_container(always: Webhook) -> None:
    response = always.admit(pod_of("internal.example.com/app:1", "nginx"))

    assert list(response.images) == ["/spec/containers/1/image"]


def test_a_second_pass_returns_an_empty_patch(always: Webhook) -> None:
    pod = pod_of("nginx:1", "redis:7")
    patched = apply(pod, always.admit(pod).patch)

    assert always.admit(patched).patch == []


def test_the_annotation_shows_the_original_images_of_both_passes(always: Webhook) -> None:
    pod = pod_of("nginx:1")
    patched = apply(pod, always.admit(pod).patch)
    patched["spec"]["containers"].append({"name": "injected", "image": "envoy:2"})

    again = apply(patched, always.admit(patched).patch)

    shown = json.loads(again["metadata"]["annotations"]["k8s-image-swapper/original-images"])
    assert shown == {"c0": "nginx:1", "injected": "envoy:2"}


def test_false_annotation_entries_are_replaced(always: Webhook) -> None:
    false = json.dumps({"c0": "something/else:1", "gone": "x"})
    pod = pod_of("nginx:1", annotations={"k8s-image-swapper/original-images": false, "kept": "yes"})

    annotations = apply(pod, always.admit(pod).patch)["metadata"]["annotations"]

    assert json.loads(annotations["k8s-image-swapper/original-images"]) == {"c0": "nginx:1"}
    assert annotations["kept"] == "yes"


OTHER_OWNER = """
INSERT INTO mirrors_imagemapping (source, target, source_digest, target_digest, platforms, existence, access, paused,
    target_registry_id, last_seen_at, changed_at, created_at, obstacle)
SELECT 'old.example.com/app:1', 'TARGET/docker.io/library/app:1', '', '', '[]', 'present', 'anonymous', 0,
    id, created_at, created_at, created_at, '' FROM mirrors_registry WHERE role = 'target'
"""


def apply(pod: dict[str, Any], patch: list[dict[str, Any]]) -> dict[str, Any]:
    """Apply an RFC 6902 patch with an independent implementation."""
    import jsonpatch

    document: dict[str, Any] = jsonpatch.apply_patch(pod, patch)
    return document


def test_the_annotation_distinguishes_volumes_from_containers(always: Webhook) -> None:
    pod = pod_of("nginx:1")
    pod["spec"]["volumes"] = [{"name": "c0", "image": {"reference": "quay.io/models/llm:2"}}]
    shown = apply(pod, always.admit(pod).patch)["metadata"]["annotations"]["k8s-image-swapper/original-images"]
    assert json.loads(shown) == {"c0": "nginx:1", "volumes/c0": "quay.io/models/llm:2"}
    # A second pass leaves it unchanged.
    swapped = apply(pod, always.admit(pod).patch)
    assert always.admit(swapped).patch == []


def test_an_opt_out_is_ignored_when_opt_outs_are_disabled(database_template: DatabaseTemplate, tmp_path: Path) -> None:
    keys: dict[str, Any] = {"imageSwapPolicy": "always", "imageCopyPolicy": "none", "optOut": "none"}
    with running_webhook(tmp_path, database_template, target="mirror.example.com:5000", **keys) as webhook:
        pod = pod_of("nginx:1", annotations={"k8s-image-swapper/skip": "true"})
        assert webhook.reasons(webhook.admit(pod)) == ["policy-always"]


def test_a_target_name_of_another_source_is_not_used_and_a_warning_is_shown(
    database_template: DatabaseTemplate, target: MemoryRegistry, tmp_path: Path
) -> None:
    with running_webhook(tmp_path, database_template, target=target.host) as webhook:
        query(webhook.database_url, OTHER_OWNER.replace("TARGET", target.host))
        response = webhook.admit(pod_of("app:1"))
        assert webhook.reasons(response) == ["target-name-taken"]
        assert "belongs to another source" in response.response["warnings"][0]
