"""The annotation that shows original images: merged by a second pass, and without outdated entries."""

from __future__ import annotations

import copy
import json
from typing import Any

import jsonpatch
import pytest

from tests.support.system import Webhook, pod_of
from tests.webhook.test_operations import always_target
from webhook.decision.patch import ANNOTATION

KEPT = "internal.example.com/tool:1"


def originals(pod: dict[str, Any]) -> Any:
    text = pod["metadata"].get("annotations", {}).get(ANNOTATION)
    return None if text is None else json.loads(text)


def applied(webhook: Webhook, pod: dict[str, Any], **request: Any) -> dict[str, Any]:
    patched: dict[str, Any] = jsonpatch.apply_patch(pod, webhook.admit(pod, **request).patch)
    return patched


def test_an_update_to_an_image_that_is_kept_removes_its_entry(always: Webhook) -> None:
    running = applied(always, pod_of("nginx:1", "redis:7"))
    assert originals(running) == {"c0": "nginx:1", "c1": "redis:7"}
    one, both = copy.deepcopy(running), copy.deepcopy(running)
    one["spec"]["containers"][0]["image"] = KEPT
    for container in both["spec"]["containers"]:
        container["image"] = KEPT

    assert originals(applied(always, one, operation="UPDATE", old=running)) == {"c1": "redis:7"}
    assert originals(applied(always, both, operation="UPDATE", old=running)) is None


def test_an_update_to_another_image_replaces_its_entry(always: Webhook) -> None:
    running = applied(always, pod_of("nginx:1", "redis:7"))
    new = copy.deepcopy(running)
    new["spec"]["containers"][0]["image"] = "nginx:2"

    assert originals(applied(always, new, operation="UPDATE", old=running)) == {"c0": "nginx:2", "c1": "redis:7"}


def test_a_reinvocation_removes_entries_for_images_another_webhook_replaced(always: Webhook) -> None:
    swapped = applied(always, pod_of("nginx:1", "redis:7"))
    swapped["spec"]["containers"][1]["image"] = KEPT

    again = applied(always, swapped)

    assert originals(again) == {"c0": "nginx:1"}
    assert always.admit(again).patch == []


@pytest.mark.parametrize("claimed", [{"c0": "redis:7"}, {"gone": "nginx:1"}, {"c0": 5}, {"c0": "UPPER//case"}])
def test_a_copied_annotation_with_false_entries_is_removed(always: Webhook, claimed: dict[str, Any]) -> None:
    pod = pod_of(KEPT, annotations={ANNOTATION: json.dumps(claimed), "other": "stays"})

    assert applied(always, pod)["metadata"]["annotations"] == {"other": "stays"}


@pytest.mark.parametrize("text", ["", "not JSON", "[1]", "{}", '"text"'])
def test_an_annotation_without_any_entries_is_unchanged(always: Webhook, text: str) -> None:
    assert always.admit(pod_of(KEPT, annotations={ANNOTATION: text})).patch == []


@pytest.mark.parametrize(
    "metadata",
    [{"labels": {"cnpg.io/cluster": "a"}}, {"labels": {"k8s-image-swapper/skip": "true"}}],
    ids=["known operator", "opted out"],
)
def test_the_annotation_of_a_skipped_pod_is_unchanged(always: Webhook, metadata: dict[str, Any]) -> None:
    stale = {ANNOTATION: json.dumps({"c0": "redis:7"})}

    assert always.admit(pod_of("nginx:1", annotations=stale, **metadata)).patch == []


def test_the_entry_of_an_unchanged_container_is_kept(always: Webhook) -> None:
    running = applied(always, pod_of("nginx:1"))
    assert running["spec"]["containers"][0]["image"].startswith(always_target(always))
    new = copy.deepcopy(running)
    new["metadata"]["labels"] = {"edited": "yes"}

    assert always.admit(new, operation="UPDATE", old=running).patch == []


ALLOWED = 256 * 1024
"""The bytes of names and values of all annotations together that the API server accepts."""

FULL = len(ANNOTATION) + len('{"c0":"nginx:1"}')


@pytest.mark.parametrize(("free", "shown"), [(FULL, {"c0": "nginx:1"}), (FULL - 1, None), (0, None)])
def test_an_annotation_above_the_api_server_size_limit_is_omitted(
    always: Webhook, free: int, shown: dict[str, str] | None
) -> None:
    full = pod_of("nginx:1", annotations={"é": "é" * ((ALLOWED - free - 2) // 2) + "x" * ((ALLOWED - free) % 2)})

    found = applied(always, full)

    assert originals(found) == shown and found["spec"]["containers"][0]["image"].endswith("library/nginx:1")


def test_an_existing_annotation_that_exceeds_the_size_limit_is_removed(always: Webhook) -> None:
    running = applied(always, pod_of("nginx:1"))
    new = copy.deepcopy(running)
    new["metadata"]["annotations"]["mine"] = "x" * (ALLOWED - FULL - 4)
    new["spec"]["containers"][0]["image"] = "nginx:1.27"

    assert originals(applied(always, new, operation="UPDATE", old=running)) is None
