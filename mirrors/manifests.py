"""Pods in Kubernetes manifests: a Pod itself, or the template of a workload."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml


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
KINDS = ", ".join(["Pod", *TEMPLATES])


def read_pods(text: str, *, namespace: str) -> list[PodManifest]:
    """Pods of one or several YAML or JSON documents; ``namespace`` is for those that name none.

    Objects that hold no pod (a Service beside a Deployment) are passed over. Raises ManifestError where none does.
    """
    try:
        documents = [document for document in yaml.safe_load_all(text) if document is not None]
    except yaml.YAMLError as error:
        raise ManifestError(f"This is not YAML that can be read: {error}") from error
    pods = [pod for document in documents for pod in _pods(document, namespace)]
    if not pods:
        raise ManifestError(f"There is no pod in this. Give one of: {KINDS}.")
    return pods


def _pods(document: object, namespace: str) -> Iterator[PodManifest]:
    if not isinstance(document, dict):
        return
    kind = document.get("kind")
    if kind in {"List", "PodList"}:
        for item in document.get("items") or []:
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
    yield PodManifest(
        title=f"{kind}/{metadata.get('name') or metadata.get('generateName') or '(no name)'}",
        namespace=str(metadata.get("namespace") or namespace),
        pod={"apiVersion": "v1", "kind": "Pod", **pod},
    )
