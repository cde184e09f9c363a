"""AdmissionReview, v1 and v1beta1, as plain values: what is asked, and which images may be swapped.

https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/#webhook-request-and-response
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from mirrors.kubernetes.pods import (
    ImageSlot,
    Json,
    created_images,
    created_slots,
    in_namespace,
    mapping,
    slots_of,
    text,
)

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9.-]{0,252}")
_NAMESPACE: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
VERSIONS: Final = frozenset({"admission.k8s.io/v1", "admission.k8s.io/v1beta1"})


class ReviewError(ValueError):
    """The body is not an AdmissionReview; the message names what is wrong with it."""


@dataclass(frozen=True, slots=True)
class AdmissionRequest:
    """The parts of a review's request that matter here. Objects are the raw JSON, or empty."""

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
    """Read a review. Raises ReviewError for anything else."""
    try:
        review = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise ReviewError(f"The body is not JSON that can be read: {error}.") from error
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


def image_slots(request: AdmissionRequest) -> Iterator[ImageSlot]:
    """Images of the pod in the order of the pod; ``changed`` is false where this operation may not touch one.

    As an iterator: a pod may name any number of them.
    """
    if request.resource != "pods" or not request.obj:
        return
    match (request.operation, request.sub_resource):
        case ("CREATE", ""):
            yield from created_slots(request.obj)
        case ("UPDATE", ""):
            old = {(key, name): image for key, name, image in created_images(request.old_obj)}
            for slot in created_slots(request.obj):
                yield _against(slot, old.get(_identity(slot)) if old else slot.image)
        case ("UPDATE", "ephemeralcontainers"):
            known = {slot.name for slot in slots_of(request.old_obj, "ephemeralContainers")}
            for slot in slots_of(request.obj, "ephemeralContainers"):
                yield _against(slot, slot.image if slot.name in known else None)


def number_of_images(request: AdmissionRequest) -> int:
    """How many ``image_slots`` would have, at less cost."""
    if request.sub_resource == "ephemeralcontainers":
        return sum(1 for _ in slots_of(request.obj, "ephemeralContainers"))
    return sum(1 for _ in created_images(request.obj))


def _identity(slot: ImageSlot) -> tuple[str, str]:
    """Which list a slot is in, and its name there: what makes it the same one before and after an update."""
    return slot.pointer.split("/", 3)[2], slot.name


def _against(slot: ImageSlot, old_image: str | None) -> ImageSlot:
    changed = slot.image != old_image
    return ImageSlot(slot.pointer, slot.name, slot.image, slot.container, changed, slot.pull_policy)


def namespace_of(request: AdmissionRequest) -> str:
    """The request's namespace if it is one that Kubernetes allows, else nothing."""
    return request.namespace if _NAMESPACE.fullmatch(request.namespace) else ""


def pod_name_of(request: AdmissionRequest) -> str:
    """The pod's name, or what the API server makes it of."""
    return valid_name(request.name)


def valid_name(value: object) -> str:
    """A name as Kubernetes allows it, else nothing: pods are validated only after mutating admission."""
    return value if isinstance(value, str) and _NAME.fullmatch(value) else ""


def filter_view(request: AdmissionRequest) -> dict[str, Any]:
    """The pod as filters see it: with the request's namespace filled in, on a copy."""
    return in_namespace(request.obj, request.namespace)


def answer(
    request: AdmissionRequest,
    *,
    patch: list[dict[str, Any]] | None = None,
    warnings: list[str] | None = None,
    denied: str = "",
) -> dict[str, Any]:
    """The review that goes back: allowed unless ``denied`` says why not, in the version that was asked."""
    response: dict[str, Any] = {"uid": request.uid, "allowed": not denied}
    if denied:
        response["status"] = {"code": 403, "message": denied}
    if patch:
        response["patchType"] = "JSONPatch"
        response["patch"] = base64.b64encode(orjson.dumps(patch)).decode()
    if warnings:
        response["warnings"] = warnings
    return {"apiVersion": request.api_version, "kind": "AdmissionReview", "response": response}
