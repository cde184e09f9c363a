"""AdmissionReview, v1 and v1beta1, as plain values: what is asked, and which images may be swapped.

https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/#webhook-request-and-response
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

VERSIONS: Final = frozenset({"admission.k8s.io/v1", "admission.k8s.io/v1beta1"})
SKIP: Final = "k8s-image-swapper/skip"

Json = Mapping[str, Any]
EMPTY: Final[Json] = {}


class ReviewError(ValueError):
    """The body is no AdmissionReview; the message names what is wrong with it."""


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


@dataclass(frozen=True, slots=True)
class ImageSlot:
    """One place in a pod that names an image. ``pointer`` is its JSON pointer (RFC 6901)."""

    pointer: str
    name: str
    image: str
    container: Json = field(repr=False)
    changed: bool = True
    pull_policy: str = ""

    @property
    def label(self) -> str:
        """How the annotation names it: containers by their name, volumes apart from them."""
        return f"volumes/{self.name}" if self.pointer.startswith("/spec/volumes/") else self.name


def parse(body: bytes) -> AdmissionRequest:
    """Read a review. Raises ReviewError for anything that is none."""
    try:
        review = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise ReviewError(f"The body is not JSON that can be read: {error}.") from error
    if not isinstance(review, dict):
        raise ReviewError("The body is no AdmissionReview: it is not a JSON object.")
    version = review.get("apiVersion")
    if review.get("kind") != "AdmissionReview" or not isinstance(version, str) or version not in VERSIONS:
        raise ReviewError(
            "The body is no AdmissionReview of admission.k8s.io/v1 or v1beta1: check its kind and apiVersion."
        )
    request = review.get("request")
    if not isinstance(request, dict):
        raise ReviewError("The AdmissionReview has no request.")
    uid = request.get("uid")
    if not isinstance(uid, str) or not uid:
        raise ReviewError("The AdmissionReview's request has no uid.")
    return _request(version, uid, request)


def _request(version: str, uid: str, request: Json) -> AdmissionRequest:
    obj = _mapping(request.get("object"))
    metadata = _mapping(obj.get("metadata"))
    resource = _mapping(request.get("resource"))
    return AdmissionRequest(
        api_version=version,
        uid=uid,
        kind=_text(_mapping(request.get("kind")).get("kind")) or _text(obj.get("kind")),
        operation=_text(request.get("operation")),
        resource=_text(resource.get("resource")) if resource.get("group") in (None, "") else "",
        sub_resource=_text(request.get("subResource")),
        namespace=_text(request.get("namespace")) or _text(metadata.get("namespace")),
        name=_text(request.get("name")) or _text(metadata.get("name")) or _text(metadata.get("generateName")),
        dry_run=request.get("dryRun") is True,
        obj=obj,
        old_obj=_mapping(request.get("oldObject")),
    )


def image_slots(request: AdmissionRequest) -> list[ImageSlot]:
    """Images of the pod in the order of the pod; ``changed`` is false where this operation may not touch one."""
    if request.resource != "pods" or not request.obj:
        return []
    match (request.operation, request.sub_resource):
        case ("CREATE", ""):
            return list(_pod_slots(request.obj))
        case ("UPDATE", ""):
            old = {_identity(slot): slot.image for slot in _pod_slots(request.old_obj)}
            return [_against(slot, old.get(_identity(slot)) if old else slot.image) for slot in _pod_slots(request.obj)]
        case ("UPDATE", "ephemeralcontainers"):
            known = {slot.name for slot in _slots(request.old_obj, "ephemeralContainers")}
            return [
                _against(slot, slot.image if slot.name in known else None)
                for slot in _slots(request.obj, "ephemeralContainers")
            ]
    return []


def all_slots(pod: Json) -> list[ImageSlot]:
    """All images of a pod, whatever an operation may touch."""
    return [*_pod_slots(pod), *_slots(pod, "ephemeralContainers")]


def _pod_slots(pod: Json) -> Iterator[ImageSlot]:
    yield from _slots(pod, "initContainers")
    yield from _slots(pod, "containers")
    for index, volume in _items(pod, "volumes"):
        image = _mapping(volume.get("image"))
        if isinstance(image.get("reference"), str):
            name = _text(volume.get("name"))
            yield ImageSlot(
                pointer=f"/spec/volumes/{index}/image/reference",
                name=name,
                image=image["reference"],
                container={"name": name, "image": image["reference"]},
                pull_policy=_text(image.get("pullPolicy")),
            )


def _slots(pod: Json, key: str) -> Iterator[ImageSlot]:
    for index, container in _items(pod, key):
        if isinstance(container.get("image"), str):
            yield ImageSlot(
                pointer=f"/spec/{key}/{index}/image",
                name=_text(container.get("name")),
                image=container["image"],
                container=container,
                pull_policy=_text(container.get("imagePullPolicy")),
            )


def _items(pod: Json, key: str) -> Iterator[tuple[int, Json]]:
    items = _mapping(pod.get("spec")).get(key)
    if isinstance(items, list):
        for index, item in enumerate(items):
            if isinstance(item, dict):
                yield index, item


def _identity(slot: ImageSlot) -> tuple[str, str]:
    """Which list a slot is in, and its name there: what makes it the same one before and after an update."""
    return slot.pointer.split("/", 3)[2], slot.name


def _against(slot: ImageSlot, old_image: str | None) -> ImageSlot:
    changed = slot.image != old_image
    return ImageSlot(slot.pointer, slot.name, slot.image, slot.container, changed, slot.pull_policy)


def opted_out(pod: Json) -> bool:
    """Whether the pod asks, by annotation or label, to be left alone."""
    metadata = _mapping(pod.get("metadata"))
    return any(_mapping(metadata.get(key)).get(SKIP) == "true" for key in ("annotations", "labels"))


def filter_view(request: AdmissionRequest) -> dict[str, Any]:
    """The pod as filters see it: with the request's namespace filled in, on a copy."""
    metadata = _mapping(request.obj.get("metadata"))
    if metadata.get("namespace") == request.namespace:
        return dict(request.obj)
    return {**request.obj, "metadata": {**metadata, "namespace": request.namespace}}


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


def _mapping(value: object) -> Json:
    return value if isinstance(value, dict) else EMPTY


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
