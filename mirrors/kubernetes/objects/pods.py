"""The images that a pod names, and whether it is one that must not be changed. Raw JSON, of which nothing is taken for
granted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

SKIP: Final = "k8s-image-swapper/skip"
MIRROR_POD: Final = "kubernetes.io/config.mirror"
"""The kubelet's annotation of the pod that represents a static one in the API."""

COMPARING_OPERATORS: Final = (
    ("cnpg.io/cluster", None, "CloudNativePG"),
    ("application", "spilo", "Zalando's Postgres Operator"),
    ("olm.catalogSource", None, "Operator Lifecycle Manager"),
    ("nifi_cr", None, "NiFiKop"),
)
"""Operators that compare the images of their pods with those that they wrote, and replace a pod that differs: label of
such a pod, its value (None: any), and the operator's name."""

Json = Mapping[str, Any]
EMPTY: Final[Json] = {}


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
        """The name in the annotation: containers by their name, volumes apart from them."""
        return f"volumes/{self.name}" if self.pointer.startswith("/spec/volumes/") else self.name


def all_slots(pod: Json) -> Iterator[ImageSlot]:
    """All images of a pod, whatever an operation may touch."""
    yield from created_slots(pod)
    yield from slots_of(pod, "ephemeralContainers")


def created_images(pod: Json) -> Iterator[tuple[str, str, str]]:
    """List, name in it, and image of what ``created_slots`` has, at less cost."""
    for key in ("initContainers", "containers"):
        for _, container in _items(pod, key):
            if isinstance(image := container.get("image"), str):
                yield key, text(container.get("name")), image
    for _, volume in _items(pod, "volumes"):
        if isinstance(image := mapping(volume.get("image")).get("reference"), str):
            yield "volumes", text(volume.get("name")), image


def created_slots(pod: Json) -> Iterator[ImageSlot]:
    """Images that a pod may have when it is created: ephemeral containers come later."""
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
    """Images of one list of containers."""
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
    """Images that an admission review is about, in the order of the pod; ``changed`` is false where its operation may
    not touch one. As an iterator: a pod may name any number of them."""
    match (operation, sub_resource):
        case ("CREATE", ""):
            yield from created_slots(pod)
        case ("UPDATE", ""):
            old = {(key, name): image for key, name, image in created_images(old_pod)}
            for slot in created_slots(pod):
                yield _against(slot, old.get(_identity(slot)) if old else slot.image)
        case ("UPDATE", "ephemeralcontainers"):
            known = {slot.name for slot in slots_of(old_pod, "ephemeralContainers")}
            for slot in slots_of(pod, "ephemeralContainers"):
                yield _against(slot, slot.image if slot.name in known else None)


def number_of_images(pod: Json, sub_resource: str) -> int:
    """Count the slots that ``reviewed_slots`` would return, at less cost."""
    if sub_resource == "ephemeralcontainers":
        return sum(1 for _ in slots_of(pod, "ephemeralContainers"))
    return sum(1 for _ in created_images(pod))


def _identity(slot: ImageSlot) -> tuple[str, str]:
    """Return the list of a slot, and its name there: they make it the same one before and after an update."""
    return slot.pointer.split("/", 3)[2], slot.name


def _against(slot: ImageSlot, old_image: str | None) -> ImageSlot:
    changed = slot.image != old_image
    return ImageSlot(slot.pointer, slot.name, slot.image, slot.container, changed, slot.pull_policy)


def opted_out(pod: Json) -> bool:
    """Whether the pod asks, by annotation or label, not to be changed."""
    metadata = mapping(pod.get("metadata"))
    return any(mapping(metadata.get(key)).get(SKIP) == "true" for key in ("annotations", "labels"))


def is_mirror_pod(pod: Json) -> bool:
    """Whether the kubelet made it for a static pod: one that differs from its manifest is deleted and made again."""
    return MIRROR_POD in mapping(mapping(pod.get("metadata")).get("annotations"))


def comparing_operator(pod: Json) -> str:
    """Return the operator, of those that compare images, that has made the pod; empty: none that is known to."""
    labels = mapping(mapping(pod.get("metadata")).get("labels"))
    for label, value, name in COMPARING_OPERATORS:
        if label in labels and (value is None or labels[label] == value):
            return name
    return ""


def in_namespace(pod: Json, namespace: str) -> dict[str, Any]:
    """The pod as filters see it: with the request's namespace filled in, on a copy."""
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
