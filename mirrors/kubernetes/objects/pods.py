"""The images in a pod, and whether the pod must not be changed. Pods are raw JSON that was not validated."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

SKIP: Final = "k8s-image-swapper/skip"
MIRROR_POD: Final = "kubernetes.io/config.mirror"
"""The kubelet's annotation of a mirror pod, which represents a static pod in the API."""

COMPARING_OPERATORS: Final = (
    ("cnpg.io/cluster", None, "CloudNativePG"),
    ("application", "spilo", "Zalando's Postgres Operator"),
    ("olm.catalogSource", None, "Operator Lifecycle Manager"),
    ("nifi_cr", None, "NiFiKop"),
)
"""Operators that compare the images of their pods with those that they specified, and replace a pod that differs. Each
entry is a label of these pods, its value (None: any), and the operator's name."""

Json = Mapping[str, Any]
EMPTY: Final[Json] = {}


@dataclass(frozen=True, slots=True)
class ImageSlot:
    """A field of a pod that contains an image. ``pointer`` is its JSON pointer (RFC 6901)."""

    pointer: str
    name: str
    image: str
    container: Json = field(repr=False)
    changed: bool = True
    pull_policy: str = ""

    @property
    def label(self) -> str:
        """The name in the annotation: that of the container, or with the prefix ``volumes/`` that of the volume."""
        return f"volumes/{self.name}" if self.pointer.startswith("/spec/volumes/") else self.name


def all_slots(pod: Json) -> Iterator[ImageSlot]:
    """Yield all images of a pod, including those of ephemeral containers."""
    yield from created_slots(pod)
    yield from slots_of(pod, "ephemeralContainers")


def created_images(pod: Json) -> Iterator[tuple[str, str, str]]:
    """Yield the list, the name and the image of each slot of ``created_slots``, at less cost."""
    for key in ("initContainers", "containers"):
        for _, container in _items(pod, key):
            if isinstance(image := container.get("image"), str):
                yield key, text(container.get("name")), image
    for _, volume in _items(pod, "volumes"):
        if isinstance(image := mapping(volume.get("image")).get("reference"), str):
            yield "volumes", text(volume.get("name")), image


def created_slots(pod: Json) -> Iterator[ImageSlot]:
    """Yield the images that a pod can have when it is created: ephemeral containers can only be added later."""
    yield from slots_of(pod, "initContainers")
    yield from slots_of(pod, "containers")
    for index, volume in _items(pod, "volumes"):
        image = mapping(volume.get("image"))
        if isinstance(image.get("reference"), str):
            name = text(volume.get("name"))
            yield ImageSlot(
                pointer=f"/spec/volumes/{index}/image/reference",
                name=name,
                image=image["reference"],
                container={"name": name, "image": image["reference"]},
                pull_policy=text(image.get("pullPolicy")),
            )


def slots_of(pod: Json, key: str) -> Iterator[ImageSlot]:
    """Yield the images of one list of containers."""
    for index, container in _items(pod, key):
        if isinstance(container.get("image"), str):
            yield ImageSlot(
                pointer=f"/spec/{key}/{index}/image",
                name=text(container.get("name")),
                image=container["image"],
                container=container,
                pull_policy=text(container.get("imagePullPolicy")),
            )


def reviewed_slots(pod: Json, old_pod: Json, operation: str, sub_resource: str) -> Iterator[ImageSlot]:
    """Yield the images that an admission review covers, in the order of the pod.

    ``changed`` is false for an image that the operation does not add or change. This is an iterator because a pod can
    contain any number of images.
    """
    match (operation, sub_resource):
        case ("CREATE", ""):
            yield from created_slots(pod)
        case ("UPDATE", ""):
            old_images = {(key, name): image for key, name, image in created_images(old_pod)}
            for slot in created_slots(pod):
                yield _compared_with(slot, old_images.get(_identity(slot)) if old_images else slot.image)
        case ("UPDATE", "ephemeralcontainers"):
            existing = {slot.name for slot in slots_of(old_pod, "ephemeralContainers")}
            for slot in slots_of(pod, "ephemeralContainers"):
                yield _compared_with(slot, slot.image if slot.name in existing else None)


def number_of_images(pod: Json, sub_resource: str) -> int:
    """Count the slots that ``reviewed_slots`` would return, at less cost."""
    if sub_resource == "ephemeralcontainers":
        return sum(1 for _ in slots_of(pod, "ephemeralContainers"))
    return sum(1 for _ in created_images(pod))


def _identity(slot: ImageSlot) -> tuple[str, str]:
    """Return the list of a slot and its name in the list, which identify the slot before and after an update."""
    return slot.pointer.split("/", 3)[2], slot.name


def _compared_with(slot: ImageSlot, old_image: str | None) -> ImageSlot:
    changed = slot.image != old_image
    return ImageSlot(slot.pointer, slot.name, slot.image, slot.container, changed, slot.pull_policy)


def opted_out(pod: Json) -> bool:
    """Return whether the pod opts out of changes, by annotation or label."""
    metadata = mapping(pod.get("metadata"))
    return any(mapping(metadata.get(key)).get(SKIP) == "true" for key in ("annotations", "labels"))


def is_mirror_pod(pod: Json) -> bool:
    """Return whether the kubelet created the pod for a static pod. The kubelet deletes and recreates such a pod if it
    differs from its manifest."""
    return MIRROR_POD in mapping(mapping(pod.get("metadata")).get("annotations"))


def comparing_operator(pod: Json) -> str:
    """Return the name of the image-comparing operator that created the pod; empty if none of the known ones did."""
    labels = mapping(mapping(pod.get("metadata")).get("labels"))
    for label, value, name in COMPARING_OPERATORS:
        if label in labels and (value is None or labels[label] == value):
            return name
    return ""


def in_namespace(pod: Json, namespace: str) -> dict[str, Any]:
    """Return a copy of the pod with the request's namespace, as filters receive it."""
    metadata = mapping(pod.get("metadata"))
    if metadata.get("namespace") == namespace:
        return dict(pod)
    return {**pod, "metadata": {**metadata, "namespace": namespace}}


def mapping(value: object) -> Json:
    return value if isinstance(value, dict) else EMPTY


def text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _items(pod: Json, key: str) -> Iterator[tuple[int, Json]]:
    items = mapping(pod.get("spec")).get(key)
    if isinstance(items, list):
        for index, item in enumerate(items):
            if isinstance(item, dict):
                yield index, item
