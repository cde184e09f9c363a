"""Requests and responses of AdmissionReview, v1 and v1beta1, as plain values.

https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/#webhook-request-and-response
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from mirrors.kubernetes.objects.pods import Json, mapping, text

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9.-]{0,252}")
_NAMESPACE: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
VERSIONS: Final = frozenset({"admission.k8s.io/v1", "admission.k8s.io/v1beta1"})


class ReviewError(ValueError):
    """The body is not a valid AdmissionReview; the message says why."""


@dataclass(frozen=True, slots=True)
class AdmissionRequest:
    """The parts of a review's request that the webhook uses. Objects are the raw JSON, or empty."""

    api_version: str
    uid: str
    kind: str
    operation: str
    resource: str
    sub_resource: str
    namespace: str
    name: str
    dry_run: bool
    obj: Json = field(repr=False)
    old_obj: Json = field(repr=False)


def parse(body: bytes) -> AdmissionRequest:
    """Parse the body of a review. Raises ReviewError if it is not a valid AdmissionReview."""
    try:
        review = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise ReviewError(f"The body is not valid JSON: {error}.") from error
    if not isinstance(review, dict):
        raise ReviewError("The body is not an AdmissionReview: it is not a JSON object.")
    version = review.get("apiVersion")
    if review.get("kind") != "AdmissionReview" or not isinstance(version, str) or version not in VERSIONS:
        raise ReviewError(
            "The body is not an AdmissionReview of admission.k8s.io/v1 or v1beta1: check its kind and apiVersion."
        )
    request = review.get("request")
    if not isinstance(request, dict):
        raise ReviewError("The AdmissionReview has no request.")
    uid = request.get("uid")
    if not isinstance(uid, str) or not uid:
        raise ReviewError("The AdmissionReview's request has no uid.")
    return _request(version, uid, request)


def _request(version: str, uid: str, request: Json) -> AdmissionRequest:
    obj = mapping(request.get("object"))
    metadata = mapping(obj.get("metadata"))
    resource = mapping(request.get("resource"))
    return AdmissionRequest(
        api_version=version,
        uid=uid,
        kind=text(mapping(request.get("kind")).get("kind")) or text(obj.get("kind")),
        operation=text(request.get("operation")),
        resource=text(resource.get("resource")) if resource.get("group") in (None, "") else "",
        sub_resource=text(request.get("subResource")),
        namespace=text(request.get("namespace")) or text(metadata.get("namespace")),
        name=text(request.get("name")) or text(metadata.get("name")) or text(metadata.get("generateName")),
        dry_run=request.get("dryRun") is True,
        obj=obj,
        old_obj=mapping(request.get("oldObject")),
    )


def creation_of(pod: Json, *, namespace: str, name: str, uid: str) -> AdmissionRequest:
    """Return the request to review the creation of a pod, as a dry run; ``uid`` identifies the caller in logs."""
    return AdmissionRequest(
        api_version="admission.k8s.io/v1",
        uid=uid,
        kind="Pod",
        operation="CREATE",
        resource="pods",
        sub_resource="",
        namespace=namespace,
        name=name,
        dry_run=True,
        obj=pod,
        old_obj={},
    )


def namespace_of(request: AdmissionRequest) -> str:
    """Return the request's namespace if Kubernetes allows its name, else an empty string."""
    return request.namespace if _NAMESPACE.fullmatch(request.namespace) else ""


def pod_name_of(request: AdmissionRequest) -> str:
    """Return the pod's name, or its ``generateName``, from which the API server creates the name; empty if invalid."""
    return valid_name(request.name)


def valid_name(value: object) -> str:
    """Return the name if Kubernetes allows it, else an empty string. The API server validates pods only after mutating
    admission, so a request can contain any value."""
    return value if isinstance(value, str) and _NAME.fullmatch(value) else ""


def build_response(
    request: AdmissionRequest,
    *,
    patch: list[dict[str, Any]] | None = None,
    warnings: list[str] | None = None,
    denied: str = "",
) -> dict[str, Any]:
    """Return the response, in the API version of the request. The pod is allowed, unless ``denied`` has the reason why
    it is not."""
    response: dict[str, Any] = {"uid": request.uid, "allowed": not denied}
    if denied:
        response["status"] = {"code": 403, "message": denied}
    if patch:
        response["patchType"] = "JSONPatch"
        response["patch"] = base64.b64encode(orjson.dumps(patch)).decode()
    if warnings:
        response["warnings"] = warnings
    return {"apiVersion": request.api_version, "kind": "AdmissionReview", "response": response}
