"""Pods in the form in which a watcher reads them."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from mirrors.images import ImageRef, TargetName
from mirrors.kubernetes.objects.pod_states import ContainerState, NodeState, PodState
from mirrors.kubernetes.objects.workloads import Workload
from mirrors.models import Existence, ImageMapping
from mirrors.watcher.inventory import DeletedPod, Inventory
from swapper_project.config import Config, ConfigSource
from tests.jobs.support import target_row
from tests.support.system import write_config

TARGET = "mirror.example.com:5000"
NOT_FOUND = 'rpc error: code = NotFound desc = failed to resolve reference "x": x: not found'
DENIED = "unexpected status from HEAD request to https://mirror.example.com/v2/x: 403 Forbidden"
NO_ROUTE = "dial tcp 10.0.0.1:443: connect: no route to host"

WEB = Workload("Deployment", "web")


def config_in(directory: Path, **keys: Any) -> Config:
    return ConfigSource(write_config(directory / "config.yaml", target=TARGET, **keys)).current


def mirrored(source: str, **fields: Any) -> ImageMapping:
    """Create the mapping of an image that the target has."""
    ref = ImageRef.parse(source)
    known = {"existence": Existence.PRESENT, "access": "anonymous", **fields}
    target = str(TargetName(TARGET).retarget(ref))
    return ImageMapping.objects.create(target_registry=target_row(TARGET), source=str(ref), target=target, **known)


def container(image: str, message: str | None = None, *, reason: str = "ErrImagePull") -> ContainerState:
    """Return a container that has started, or with a message, one whose pull fails."""
    if message is None:
        return ContainerState("app", image, "sha256:" + "0" * 64, started=True, reason="", message="")
    return ContainerState("app", image, "", started=False, reason=reason, message=message)


def pod(
    *containers: ContainerState,
    name: str = "web-1",
    node: str = "node-1",
    namespace: str = "shop",
    workload: Workload = WEB,
    owner: str = "rs-1",
    age: float = 10.0,
    ended: bool = False,
) -> PodState:
    return PodState(namespace, name, workload, owner, node, time.time() - age, containers, ended)


class Cluster:
    """An inventory that tests fill. Pods are identified by name."""

    def __init__(self, *, nodes: int = 3) -> None:
        self.inventory = Inventory()
        for index in range(1, nodes + 1):
            self.inventory.nodes[f"node-{index}"] = NodeState(f"node-{index}", "linux/amd64", ready=True)

    def put(self, *pods: PodState) -> None:
        for each in pods:
            self.inventory.put_pod(each.name, each)

    def clear(self) -> None:
        self.inventory.replace_pods({})

    def depart(self, *pods: PodState, ago: float = 0.0) -> None:
        self.inventory.deleted_pods.extend(DeletedPod(each, time.time() - ago) for each in pods)
