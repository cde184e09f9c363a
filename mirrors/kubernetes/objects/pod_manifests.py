"""Pods in Kubernetes manifests: Pods, the pod templates of workloads, or lists of both.

The text can come from any user, so the size of its expanded content is checked before it is built.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson

from mirrors.kubernetes.objects.yaml_errors import YamlError
from mirrors.kubernetes.objects.yaml_loader import (
    MOST_BYTES,
    MOST_NESTING,
    MOST_NODES,
    TOO_DEEP,
    TOO_MANY_VALUES,
    decode,
    documents,
    plain,
)

MOST_PODS: Final = 100
"""The most pods in one text, because all are decided while a user waits for the response."""

MOST_FILE_BYTES: Final = 2 * MOST_BYTES + 2
"""The largest file: UTF-16 has two bytes per character, and a byte order mark."""

_TOO_DEEP: Final = f"It is nested more than {MOST_NESTING} levels deep, which is more than any valid manifest."
_TOO_MANY_VALUES: Final = f"It expands to more than {MOST_NODES:,} values. Use fewer objects and no nested aliases."
_TOO_LARGE: Final = f"It has more than {MOST_BYTES >> 20} MiB: use fewer objects."
_ERROR_MESSAGES: Final = {TOO_DEEP: _TOO_DEEP, TOO_MANY_VALUES: _TOO_MANY_VALUES}


class ManifestError(ValueError):
    """The text contains no pod, or is invalid or too large; the message explains what to provide instead."""


@dataclass(frozen=True, slots=True)
class PodManifest:
    """A pod as it would be sent to admission. ``title`` is the kind and name of the object that contains it."""

    title: str
    namespace: str
    pod: dict[str, Any]


POD_TEMPLATES = {
    "Deployment": ("spec", "template"),
    "StatefulSet": ("spec", "template"),
    "DaemonSet": ("spec", "template"),
    "ReplicaSet": ("spec", "template"),
    "ReplicationController": ("spec", "template"),
    "Job": ("spec", "template"),
    "CronJob": ("spec", "jobTemplate", "spec", "template"),
    "PodTemplate": ("template",),
}
NAMESPACE_PATTERN: Final = r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"
"""A label as in RFC 1123."""

KIND_NAMES = ", ".join(["Pod", *POD_TEMPLATES])


def read_pods(text: str, *, namespace: str) -> list[PodManifest]:
    """Return the pods in one or several YAML or JSON documents; ``namespace`` is the default for objects without one.

    Objects that contain no pod, such as a Service next to a Deployment, are skipped. Raises ManifestError if no object
    contains a pod, and if the text is invalid or too large.
    """
    if len(text.encode(errors="replace")) > MOST_BYTES:
        raise ManifestError(_TOO_LARGE)
    return pods_in(_objects(text), namespace=namespace)


def read_file(path: Path) -> str:
    """Return the text of a manifest file. Raises OSError and ManifestError."""
    with path.open("rb") as file:
        return text_of(file.read(MOST_FILE_BYTES + 1))


def text_of(data: bytes) -> str:
    """Decode the content of a manifest file. Raises ManifestError."""
    if len(data) > MOST_FILE_BYTES:
        raise ManifestError(_TOO_LARGE)
    try:
        return decode(data)
    except YamlError as error:
        raise ManifestError(_error_message(error)) from error


def pods_in(documents: list[Any], *, namespace: str) -> list[PodManifest]:
    """Return the pods in decoded objects, as ``read_pods`` does. Raises ManifestError."""
    _check_size(documents)
    pods = [pod for document in documents for pod in _pods(document, namespace)]
    if not pods:
        raise ManifestError(f"The manifest contains no pod. Use one of: {KIND_NAMES}.")
    if len(pods) > MOST_PODS:
        raise ManifestError(f"There are {len(pods)} pods in this manifest; send at most {MOST_PODS} at a time.")
    return pods


def _objects(text: str) -> list[Any]:
    """Parse the text as kubectl does: text that starts with a brace is JSON, or YAML if it is not valid JSON."""
    if text.lstrip("\ufeff \t\r\n").startswith("{"):
        try:
            return [orjson.loads(text.removeprefix("\ufeff"))]
        except orjson.JSONDecodeError:
            pass
    try:
        return [plain(node) for node in documents(text)]
    except YamlError as error:
        raise ManifestError(_error_message(error, text)) from error


def _check_size(documents: list[Any]) -> None:
    pending: list[tuple[Any, int]] = [(documents, 0)]
    count = 0
    while pending:
        value, depth = pending.pop()
        count += 1
        if depth > MOST_NESTING:
            raise ManifestError(_TOO_DEEP)
        if count > MOST_NODES:
            raise ManifestError(_TOO_MANY_VALUES)
        if isinstance(value, dict | list):
            pending += [(item, depth + 1) for item in (value.values() if isinstance(value, dict) else value)]


def _error_message(error: YamlError, text: str = "") -> str:
    if str(error) in _ERROR_MESSAGES:
        return _ERROR_MESSAGES[str(error)]
    column = f", column {error.column}" if error.column else ""
    position = f" in line {error.line}{column}" if error.line else ""
    hint = " It looks like a template: render it first, for example with helm template." if "{{" in text else ""
    return f"This is not valid YAML: {error}{position}.{hint}"


def _check_pod(pod: object, title: str, path: Sequence[str]) -> None:
    """Check the parts of a pod that contain images. Raises ManifestError if the API server would reject them."""
    if not isinstance(pod, dict):
        raise ManifestError(f"{title} has no {'.'.join(path)}.")
    spec = pod.get("spec")
    if not isinstance(spec, dict):
        raise ManifestError(f"{title} has no {'.'.join([*path, 'spec'])}.")
    for key in ("containers", "initContainers", "ephemeralContainers"):
        containers = spec.get(key)
        are_objects = isinstance(containers, list) and all(isinstance(container, dict) for container in containers)
        if containers is not None and not are_objects:
            raise ManifestError(f"{'.'.join([*path, 'spec', key])} of {title} must be a list of objects.")


def _pods(document: object, namespace: str, item_kind: str = "") -> Iterator[PodManifest]:
    """Yield the pods in an object. ``item_kind`` is the kind of an object without one: for example, the API server
    omits the kind of the items of a PodList."""
    if not isinstance(document, dict):
        return
    kind = document.get("kind") or item_kind
    items = document.get("items")
    if isinstance(kind, str) and kind.endswith("List") and isinstance(items, list):
        for item in items:
            yield from _pods(item, namespace, kind.removesuffix("List"))
        return
    path = POD_TEMPLATES.get(str(kind), () if kind == "Pod" else None)
    if path is None:
        return
    pod: Any = document
    for key in path:
        pod = pod.get(key) if isinstance(pod, dict) else None
    metadata = document.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    title = f"{kind}/{metadata.get('name') or metadata.get('generateName') or '(no name)'}"
    _check_pod(pod, title, path)
    pod_namespace = metadata.get("namespace") or namespace
    if not isinstance(pod_namespace, str) or not re.fullmatch(NAMESPACE_PATTERN, pod_namespace):
        raise ManifestError(f"The namespace of {title} is not valid: use lower case letters, digits and -.")
    yield PodManifest(
        title=title,
        namespace=pod_namespace,
        pod={"apiVersion": "v1", "kind": "Pod", **pod},
    )
