"""Properties of the response to any pod or body: only images and our annotation change, and there is always a
response."""

from __future__ import annotations

import copy
import json
from typing import Any

import jsonpatch
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mirrors.filters import ReviewBudget, compile_filter
from mirrors.images import TargetName
from mirrors.kubernetes.objects import pods
from tests.support.system import Webhook, review_of
from webhook.decision import decision, patch
from webhook.decision.decision import ImageFacts, ReviewPolicy
from webhook.review import admission_review

POLICY = ReviewPolicy(
    target=TargetName("mirror.example.com", "prefix"),
    filters=(compile_filter("excluded", "contains(container.image, 'internal')"),),
    swap_policy="always",
)
KEYS = st.sampled_from(["metadata", "annotations", "labels", "name", "image", "spec", "~/", "k8s-image-swapper/skip"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS | st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
IMAGES = (
    st.sampled_from(
        ["nginx", "nginx:1.25", "quay.io/a/b@sha256:" + "0" * 64, "internal.example.com/x:1", "auto", "", "UP/per",
         "mirror.example.com/prefix/docker.io/library/nginx:1", "host.example.com:5000/a/b:1"]
    )
    | st.text(max_size=30)
)  # fmt: skip
CONTAINERS = st.lists(
    st.fixed_dictionaries({"name": st.text(max_size=4), "image": IMAGES}, optional={"env": JSON, "new-field": JSON})
    | JSON,
    max_size=4,
)
PODS = st.fixed_dictionaries(
    {},
    optional={
        "apiVersion": st.just("v1"),
        "metadata": JSON | st.dictionaries(KEYS, JSON, max_size=4),
        "spec": st.fixed_dictionaries(
            {},
            optional={
                "containers": CONTAINERS | JSON,
                "initContainers": CONTAINERS,
                "volumes": st.lists(st.fixed_dictionaries({"name": JSON, "image": JSON | st.fixed_dictionaries(
                    {"reference": IMAGES})}), max_size=2),
                "of-the-future": JSON,
            },
        ),
        "status": JSON,
    },
)  # fmt: skip


def patched(pod: dict[str, Any]) -> dict[str, Any]:
    """Return the pod after one pass of the webhook's own decision and patch."""
    request = admission_review.parse(json.dumps(review_of(pod)).encode())
    slots = list(pods.reviewed_slots(request.obj, request.old_obj, request.operation, request.sub_resource))
    kept = decision.pod_keep_reason(request.obj, POLICY)
    decisions = [
        decision.classify(
            slot,
            policy=POLICY,
            pod=pods.in_namespace(request.obj, request.namespace),
            keep_reason=kept,
            budget=ReviewBudget(),
            on_filter_error=lambda name, error: None,
        )
        for slot in slots
    ]
    settled = [decision.settle(d, ImageFacts(), POLICY) if decision.is_open(d) else d for d in decisions]
    operations = patch.patch_operations(settled, pod=request.obj, policy=POLICY, is_kept=kept is not None)
    result: dict[str, Any] = jsonpatch.apply_patch(pod, operations)
    return result


def without_images_and_annotation(pod: dict[str, Any]) -> dict[str, Any]:
    """Return the pod with all image strings blanked and without our annotation and the parents that were added for
    it."""
    pod = copy.deepcopy(pod)
    for key in ("containers", "initContainers"):
        for container in listed(pod, key):
            blank(container, "image")
    for volume in listed(pod, "volumes"):
        if isinstance(volume, dict):
            blank(volume.get("image"), "reference")
    metadata = pod.get("metadata")
    if isinstance(metadata, dict) and isinstance(metadata.get("annotations"), dict):
        metadata["annotations"].pop(patch.ANNOTATION, None)
    return pod


def listed(pod: dict[str, Any], key: str) -> list[Any]:
    spec = pod.get("spec")
    found = spec.get(key) if isinstance(spec, dict) else None
    return found if isinstance(found, list) else []


def blank(holder: object, key: str) -> None:
    if isinstance(holder, dict) and isinstance(holder.get(key), str):
        holder[key] = "?"


def without_empty_parents(pod: dict[str, Any]) -> dict[str, Any]:
    """Remove null or empty annotations, and metadata that is then empty, so that they compare equal to absent ones."""
    metadata = pod.get("metadata")
    if isinstance(metadata, dict) and not metadata.get("annotations") and metadata.get("annotations") in (None, {}):
        metadata.pop("annotations", None)
    if pod.get("metadata") in (None, {}):
        pod.pop("metadata", None)
    return pod


@given(PODS)
def test_a_patch_changes_only_images_and_our_annotation(pod: dict[str, Any]) -> None:
    before = without_empty_parents(without_images_and_annotation(pod))
    after = without_empty_parents(without_images_and_annotation(patched(copy.deepcopy(pod))))

    assert after == before


@given(PODS)
def test_a_second_pass_changes_nothing(pod: dict[str, Any]) -> None:
    once = patched(copy.deepcopy(pod))

    assert patched(copy.deepcopy(once)) == once


MANY = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@MANY
@given(
    st.binary(max_size=200)
    | JSON.map(lambda value: json.dumps(value).encode())
    | st.builds(
        lambda request: json.dumps(
            {"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "request": request}
        ).encode(),
        JSON | st.fixed_dictionaries({"uid": JSON, "object": PODS | JSON, "operation": JSON, "resource": JSON}),
    )
)
def test_any_body_gets_a_json_response_without_a_server_error(always: Webhook, body: bytes) -> None:
    response = always.post(body)

    assert response.status in {200, 400}
    assert response.headers["Content-Type"] == "application/json"


@MANY
@given(
    pod=PODS | JSON,
    old=st.none() | PODS | JSON,
    operation=st.sampled_from(["CREATE", "UPDATE", "DELETE", "CONNECT", "", "x"]),
    sub_resource=st.sampled_from(["", "ephemeralcontainers", "status"]),
)
def test_every_review_is_allowed_without_warnings(
    always: Webhook, pod: object, old: object, operation: str, sub_resource: str
) -> None:
    response = always.review(review_of(pod, old=old, operation=operation, sub_resource=sub_resource))

    assert response.allowed
    assert "warnings" not in response.response, response.response


@pytest.mark.parametrize("depth", [10, 200, 900])
def test_a_deeply_nested_pod_is_swapped(always: Webhook, depth: int) -> None:
    nested: object = "x"
    for _ in range(depth):
        nested = {"a": nested}

    response = always.admit({"metadata": {"deep": nested}, "spec": {"containers": [{"name": "a", "image": "nginx"}]}})

    assert response.allowed
    assert response.images
