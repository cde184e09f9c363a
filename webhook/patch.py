"""Decisions to a patch: RFC 6902 operations on the raw pod. Pure.

Nothing changes but image strings and the annotation that shows the original ones.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import orjson

from mirrors.pods import Json
from webhook.decision import Decision

ANNOTATION: Final = "k8s-image-swapper/original-images"
Operation = dict[str, Any]


def operations(
    decisions: Iterable[Decision], *, pod: Json, annotate: bool, originals: dict[str, str] | None = None
) -> list[Operation]:
    """Operations that swap what was decided to be swapped; none where nothing is.

    ``originals`` are entries of an annotation from an earlier pass that still hold.
    """
    swaps = [decision for decision in decisions if decision.swap]
    if not swaps:
        return []
    replaced: list[Operation] = [
        {"op": "replace", "path": decision.slot.pointer, "value": str(decision.target)} for decision in swaps
    ]
    if not annotate:
        return replaced
    shown = {**(originals or {}), **{decision.slot.label: decision.slot.image for decision in swaps}}
    return [*replaced, *_annotate(pod, orjson.dumps(shown, option=orjson.OPT_SORT_KEYS).decode())]


def earlier_originals(pod: Json) -> dict[str, str]:
    """Entries of the annotation as the pod has it; empty where it is not what we write."""
    annotations = _annotations(pod)
    text = annotations.get(ANNOTATION) if isinstance(annotations, dict) else None
    if not isinstance(text, str):
        return {}
    try:
        entries = orjson.loads(text)
    except orjson.JSONDecodeError:
        return {}
    if not isinstance(entries, dict):
        return {}
    return {name: image for name, image in entries.items() if isinstance(image, str)}


def _annotations(pod: Json) -> object:
    metadata = pod.get("metadata")
    return metadata.get("annotations") if isinstance(metadata, dict) else None


def _annotate(pod: Json, text: str) -> list[Operation]:
    """Add the annotation, with the parents that are missing; where a parent is no object, leave it be."""
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
    return [{"op": "add", "path": f"/metadata/annotations/{ANNOTATION.replace('/', '~1')}", "value": text}]
