"""Responses of the webhook to bodies that are not a review, and to unusual reviews."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from urllib3 import PoolManager

from tests.support.system import POOL, Webhook, pod_of, review_of


@pytest.mark.parametrize(
    ("body", "named"),
    [
        (b"", "JSON"),
        (b"\xff\xfe", "JSON"),
        (b"[]", "object"),
        (b"null", "object"),
        (b'"text"', "object"),
        (b"{", "JSON"),
        (b"[" * 200_000, "JSON"),
        (b'{"a":' * 100_000, "JSON"),
        (b"{}", "kind and apiVersion"),
        (b'{"kind":"Pod","apiVersion":"v1"}', "kind and apiVersion"),
        (b'{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v2","request":{"uid":"a"}}', "apiVersion"),
        (b'{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1"}', "no request"),
        (b'{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":[]}', "no request"),
        (b'{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{}}', "uid"),
        (b'{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{"uid":7}}', "uid"),
    ],
)
def test_an_invalid_review_is_rejected_with_the_reason(always: Webhook, body: bytes, named: str) -> None:
    response = always.post(body)

    assert response.status == 400
    assert response.headers["Content-Type"] == "application/json"
    assert named in response.json()["detail"]


def test_a_body_over_4_mib_is_rejected(always: Webhook) -> None:
    # Use a separate connection, because the server closes it without reading the rest of the body.
    with PoolManager(retries=False, timeout=10) as pool:
        response = pool.request("POST", f"{always.url}/webhook", body=b" " * (4 * 1024 * 1024 + 1))

    assert response.status == 413


def test_a_body_of_nearly_4_mib_is_accepted(always: Webhook) -> None:
    pod = pod_of("nginx:1.25", labels={"big": "x" * (4 * 1024 * 1024 - 3_000)})

    assert always.admit(pod).images


def test_a_chunked_body_is_read(always: Webhook) -> None:
    body = json.dumps(review_of(pod_of("nginx:1.25"))).encode()

    response = POOL.request(
        "POST", f"{always.url}/webhook", body=iter([body[:100], body[100:]]), retries=False, chunked=True, timeout=10
    )

    assert response.status == 200
    assert response.json()["response"]["patch"]


@pytest.mark.parametrize(
    "content_type", ["application/x-www-form-urlencoded", "text/plain", "multipart/form-data", "x"]
)
def test_the_content_type_is_ignored(always: Webhook, content_type: str) -> None:
    body = json.dumps(review_of(pod_of("nginx:1.25"))).encode()

    response = always.post(body, **{"Content-Type": content_type, "Accept": "text/html"})

    assert response.status == 200
    assert response.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/webhook", 405),
        ("PUT", "/webhook", 405),
        ("OPTIONS", "/webhook", 405),
        ("DELETE", "/", 405),
        ("GET", "/", 200),
        ("GET", "/livez", 200),
        ("GET", "/readyz", 200),
        ("GET", "/metrics", 200),
        ("POST", "/webhook/", 404),
        ("POST", "/nowhere", 404),
        ("GET", "/admin/", 404),
    ],
)
def test_status_codes_of_paths_and_methods(always: Webhook, method: str, path: str, status: int) -> None:
    response = POOL.request(method, always.url + path, retries=False, redirect=False, timeout=10)

    assert response.status == status
    assert "html" not in response.headers["Content-Type"]


def test_the_root_path_accepts_reviews(always: Webhook) -> None:
    assert always.review(review_of(pod_of("nginx:1.25")), path="/").images


@pytest.mark.parametrize("version", ["v1", "v1beta1"])
def test_the_response_has_the_version_and_uid_of_the_request(always: Webhook, version: str) -> None:
    response = always.admit(pod_of("nginx:1.25"), version=version)

    assert response.document["apiVersion"] == f"admission.k8s.io/{version}"
    assert response.document["kind"] == "AdmissionReview"
    assert response.response["uid"] == response.review["request"]["uid"]
    assert response.response["patchType"] == "JSONPatch"


DEPLOYMENT = {
    "resource": {"group": "apps", "version": "v1", "resource": "deployments"},
    "kind": {"group": "apps", "version": "v1", "kind": "Deployment"},
}


@pytest.mark.parametrize(
    "request_",
    [
        {"pod": None},
        {"pod": None, "operation": "DELETE", "old": pod_of("nginx")},
        {"pod": pod_of("nginx"), "sub_resource": "status", "operation": "UPDATE", "old": pod_of("other")},
        {"pod": pod_of("nginx"), "sub_resource": "binding"},
        {"pod": pod_of("nginx"), "operation": "CONNECT"},
        {"pod": pod_of("nginx"), "operation": None},
        {"pod": {"spec": {"template": pod_of("nginx")}}, **DEPLOYMENT},
        {"pod": pod_of("nginx"), "resource": {"group": "example.com", "resource": "pods"}},
        {"pod": [1, 2]},
        {"pod": "text"},
        {"pod": {"spec": None}},
        {"pod": {"spec": []}},
        {"pod": {"spec": {"containers": {"a": 1}}}},
        {"pod": {"spec": {"containers": [None, 1, "x", [], {"name": "a"}, {"image": 7}, {"image": None}]}}},
        {"pod": {"spec": {"volumes": [None, {"image": "x"}, {"image": {"reference": 1}}]}}},
        {"pod": pod_of("")},
        {"pod": pod_of("auto")},
        {"pod": pod_of("UPPER/case:x", "a b", ":tag", "@sha256:x", "http://a/b", "x" * 3000)},
    ],
)
def test_a_request_without_a_swappable_image_is_admitted_unchanged(always: Webhook, request_: dict[str, Any]) -> None:
    response = always.review(review_of(request_.pop("pod"), **request_))

    assert response.allowed
    assert response.patch == []


@pytest.mark.parametrize("metadata", [None, [], "text", {"annotations": []}, {"annotations": "x"}, {"labels": 3}])
def test_invalid_metadata_does_not_prevent_a_swap(always: Webhook, metadata: object) -> None:
    pod = {**pod_of("nginx:1.25"), "metadata": metadata}

    response = always.admit(pod)

    assert response.allowed
    assert list(response.images) == ["/spec/containers/0/image"]


@pytest.mark.parametrize(
    "pod",
    [
        pod_of("nginx:1.25", annotations={"braces": "}" * 32_000}),
        pod_of(*[f"example.com/app-{number}:1" for number in range(1_000)]),
        pod_of("nginx:1.25", labels={f"l{number}": "x" * 60 for number in range(45_000)}),
    ],
    ids=["braces", "containers", "labels"],
)
def test_a_large_review_is_processed_within_seconds(always: Webhook, pod: dict[str, Any]) -> None:
    started = time.monotonic()
    response = always.admit(pod)

    assert response.images
    # Upstream needs minutes. Linear work needs some tens of milliseconds, and the limit is high for busy machines.
    assert time.monotonic() - started < 5
