"""Turns decisions into a patch: RFC 6902 operations on the raw pod. Pure.

A patch changes only image strings, and the annotation that records the original ones.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, Final

import orjson

from mirrors.images import ImageRef, InvalidReferenceError, TargetName
from mirrors.kubernetes.objects.pods import Json, all_slots
from webhook.decision.decision import Decision, ReviewPolicy

ANNOTATION: Final = "k8s-image-swapper/original-images"
POINTER: Final = f"/metadata/annotations/{ANNOTATION.replace('/', '~1')}"
PatchOperation = dict[str, Any]

MOST_ANNOTATION_BYTES: Final = 256 * 1024
"""The maximum size in bytes that the API server accepts for the names and values of all annotations of an object."""

MOST_CHECKED_ENTRIES: Final = 1_000
"""The maximum number of images whose entries in the annotation are checked; further entries are dropped."""


def patch_operations(
    decisions: Sequence[Decision],
    *,
    pod: Json,
    policy: ReviewPolicy,
    is_kept: bool = False,
    is_subresource: bool = False,
) -> list[PatchOperation]:
    """Return the operations that swap images as decided, and that update the annotation accordingly.

    ``is_kept``: the pod must not be changed, so its annotation stays. ``is_subresource``: the review is about
    the subresource of ephemeral containers, for which the API server drops all changes of metadata.
    """
    swaps = [decision for decision in decisions if decision.swap]
    replaced: list[PatchOperation] = [
        {"op": "replace", "path": decision.slot.pointer, "value": str(decision.target)} for decision in swaps
    ]
    if is_subresource or not policy.annotate or policy.dry_run or policy.switched_off:
        return replaced
    recorded = original_images(pod)
    if recorded and not swaps and is_kept:
        return []
    valid = _valid_entries(recorded, pod, policy) if recorded else {}
    entries = valid | {decision.slot.label: decision.slot.image for decision in swaps}
    if entries == (recorded or {}):
        return replaced
    text = orjson.dumps(entries, option=orjson.OPT_SORT_KEYS).decode() if entries else None
    if text is not None and not _fits(pod, text):
        text = None
    return [*replaced, *_annotate(pod, text)]


def _fits(pod: Json, text: str) -> bool:
    """Return whether the API server accepts the pod with this annotation. If not, the annotation is omitted, because
    the pod must start anyway."""
    annotations = _annotations(pod)
    others = annotations if isinstance(annotations, dict) else {}
    size = len(ANNOTATION) + len(text.encode())
    for name, value in others.items():
        if name != ANNOTATION:
            size += len(name.encode()) + (len(value.encode()) if isinstance(value, str) else 0)
    return size <= MOST_ANNOTATION_BYTES


def _valid_entries(recorded: dict[str, Any], pod: Json, policy: ReviewPolicy) -> dict[str, str]:
    """Return the entries of an earlier review whose containers still have the swapped image."""
    valid: dict[str, str] = {}
    for slot in itertools.islice(all_slots(pod), MOST_CHECKED_ENTRIES):
        original = recorded.get(slot.label)
        if isinstance(original, str) and _swapped_image(original, policy.target) == slot.image:
            valid[slot.label] = original
    return valid


def _swapped_image(image: str, target: TargetName) -> str:
    """Return the image string after a swap; empty if ``image`` is not a valid reference."""
    try:
        return str(target.retarget(ImageRef.parse(image)))
    except InvalidReferenceError:
        return ""


def original_images(pod: Json) -> dict[str, Any] | None:
    """Return the entries of the pod's annotation; None if it does not exist or is not a JSON object."""
    annotations = _annotations(pod)
    text = annotations.get(ANNOTATION) if isinstance(annotations, dict) else None
    if not isinstance(text, str):
        return None
    try:
        entries = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    return entries if isinstance(entries, dict) else None


def _annotations(pod: Json) -> object:
    metadata = pod.get("metadata")
    return metadata.get("annotations") if isinstance(metadata, dict) else None


def _annotate(pod: Json, text: str | None) -> list[PatchOperation]:
    """Return the operations that add the annotation and its missing parents, or remove it if ``text`` is None. Return
    no operations if a parent is not an object."""
    if text is None:
        annotations = _annotations(pod)
        has_annotation = isinstance(annotations, dict) and ANNOTATION in annotations
        return [{"op": "remove", "path": POINTER}] if has_annotation else []
    metadata = pod.get("metadata")
    if metadata is None:
        return [{"op": "add", "path": "/metadata", "value": {"annotations": {ANNOTATION: text}}}]
    if not isinstance(metadata, dict):
        return []
    annotations = metadata.get("annotations")
    if annotations is None:
        return [{"op": "add", "path": "/metadata/annotations", "value": {ANNOTATION: text}}]
    if not isinstance(annotations, dict):
        return []
    return [{"op": "add", "path": POINTER, "value": text}]
