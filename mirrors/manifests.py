"""Pods in Kubernetes manifests: a Pod itself, or the template of a workload. Text may come from anyone, so what it
unfolds to is measured before it is built."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import yaml

MOST_BYTES: Final = 1 << 20
MOST_NODES: Final = 50_000
"""Values of one text, each alias counted with all that it stands for."""

MOST_NESTING: Final = 100
MOST_PODS: Final = 100

_TOO_DEEP: Final = f"It is nested more than {MOST_NESTING} levels deep: no manifest of Kubernetes is."
_TOO_MUCH: Final = f"It unfolds to more than {MOST_NODES:,} values: give fewer objects, and no chains of aliases."


class ManifestError(ValueError):
    """The text holds no pod; the message says what to give instead."""


@dataclass(frozen=True, slots=True)
class PodManifest:
    """A pod as it would be admitted. ``title`` names the object that it stands in."""

    title: str
    namespace: str
    pod: dict[str, Any]


TEMPLATES = {
    "Deployment": ("spec", "template"),
    "StatefulSet": ("spec", "template"),
    "DaemonSet": ("spec", "template"),
    "ReplicaSet": ("spec", "template"),
    "ReplicationController": ("spec", "template"),
    "Job": ("spec", "template"),
    "CronJob": ("spec", "jobTemplate", "spec", "template"),
}
NAMESPACE: Final = r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"
"""A label of RFC 1123."""

KINDS = ", ".join(["Pod", *TEMPLATES])


def read_pods(text: str, *, namespace: str) -> list[PodManifest]:
    """Pods of one or several YAML or JSON documents; ``namespace`` is for those that name none.

    Objects that hold no pod (a Service beside a Deployment) are passed over. Raises ManifestError where none does, and
    for what is too large to look at.
    """
    if len(text.encode(errors="replace")) > MOST_BYTES:
        raise ManifestError(f"It has more than {MOST_BYTES >> 20} MiB: give fewer objects at once.")
    return pods_in(list(_documents(text)), namespace=namespace)


def pods_in(documents: list[Any], *, namespace: str) -> list[PodManifest]:
    """The same of objects that are read already."""
    _look_over_objects(documents)
    pods = [pod for document in documents for pod in _pods(document, namespace)]
    if not pods:
        raise ManifestError(f"There is no pod in this. Give one of: {KINDS}.")
    if len(pods) > MOST_PODS:
        raise ManifestError(f"There are {len(pods)} pods in this; give {MOST_PODS} at most at once.")
    return pods


def _documents(text: str) -> Iterator[Any]:
    try:
        _look_over(text)
        loader = _Loader(text)
        left = MOST_NODES
        while loader.check_node():
            node = loader.get_node()
            left -= _measure(node, left, {})
            yield _plain(loader.construct_document(node))
    except yaml.MarkedYAMLError as error:
        raise ManifestError(f"This is not YAML that can be read: {_told(error)}.") from error
    except yaml.YAMLError as error:
        raise ManifestError(f"This is not YAML that can be read: {' '.join(str(error).split())}.") from error
    except RecursionError:
        raise ManifestError(_TOO_DEEP) from None
    except (ValueError, TypeError, OverflowError) as error:
        if isinstance(error, ManifestError):
            raise
        # A number or a date that Python has no value for.
        raise ManifestError(f"This is not YAML that can be read: {error}.") from error


def _look_over(text: str) -> None:
    """Refuse what is too deep or too much while nothing of it is built."""
    depth = 0
    for seen, event in enumerate(yaml.parse(text, Loader=_Loader)):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MOST_NESTING:
            raise ManifestError(_TOO_DEEP)
        if seen > 2 * MOST_NODES:
            raise ManifestError(_TOO_MUCH)


def _look_over_objects(documents: list[Any]) -> None:
    waiting: list[tuple[Any, int]] = [(documents, 0)]
    seen = 0
    while waiting:
        value, depth = waiting.pop()
        seen += 1
        if depth > MOST_NESTING:
            raise ManifestError(_TOO_DEEP)
        if seen > MOST_NODES:
            raise ManifestError(_TOO_MUCH)
        if isinstance(value, dict | list):
            waiting += [(item, depth + 1) for item in (value.values() if isinstance(value, dict) else value)]


# The one in C is ten times as fast; what it makes is the same.
_SafeLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_SafeLoader):  # type: ignore[misc]
    """The safe one, with dates left as the text that they are for Kubernetes."""


_Loader.yaml_implicit_resolvers = {
    key: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for key, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _measure(node: yaml.Node, most: int, known: dict[int, int], depth: int = 0) -> int:
    """How many values a node unfolds to. Raises ManifestError beyond ``most``, and where it holds itself."""
    if depth > MOST_NESTING:
        raise ManifestError(_TOO_DEEP)
    if id(node) in known:
        return known[id(node)]
    size = 1
    if isinstance(node, yaml.CollectionNode):
        for child in node.value:
            for part in child if isinstance(child, tuple) else (child,):
                size += _measure(part, most, known, depth + 1)
                if size > most:
                    raise ManifestError(_TOO_MUCH)
    known[id(node)] = size
    return size


def _plain(value: Any) -> Any:
    """As JSON has it, each part by itself: whatever was shared through aliases is copied."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set):
        return [_plain(item) for item in value]
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return str(value)
    if isinstance(value, bytes | dt.date):
        return str(value)
    return value


def _told(error: yaml.MarkedYAMLError) -> str:
    mark = error.problem_mark or error.context_mark
    place = f" in line {mark.line + 1}, column {mark.column + 1}" if mark else ""
    return f"{error.problem or error.context or 'it has an error'}{place}"


def _pods(document: object, namespace: str) -> Iterator[PodManifest]:
    if not isinstance(document, dict):
        return
    kind = document.get("kind")
    if kind in ("List", "PodList"):
        items = document.get("items")
        for item in items if isinstance(items, list) else []:
            yield from _pods(item, namespace)
        return
    path = TEMPLATES.get(str(kind), () if kind == "Pod" else None)
    if path is None:
        return
    pod: object = document
    for key in path:
        pod = pod.get(key) if isinstance(pod, dict) else None
    if not isinstance(pod, dict):
        return
    metadata = document.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    title = f"{kind}/{metadata.get('name') or metadata.get('generateName') or '(no name)'}"
    named = metadata.get("namespace") or namespace
    if not isinstance(named, str) or not re.fullmatch(NAMESPACE, named):
        raise ManifestError(f"The namespace of {title} is none that Kubernetes takes: write lower case, digits and -.")
    yield PodManifest(
        title=title,
        namespace=named,
        pod={"apiVersion": "v1", "kind": "Pod", **pod},
    )
