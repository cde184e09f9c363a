"""Rows of a watched cluster with a few workloads, as its watcher and the workers write them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.utils import timezone

from mirrors.images import ImageRef
from mirrors.models import Cluster, ClusterNode, ImageMapping, Registry, RegistryRole, RunningImage, RunningState
from tests.support.system import write_config

TARGET = "mirror.example.com:5000"
OLD, NEW = "sha256:" + "a" * 64, "sha256:" + "b" * 64


def target() -> Registry:
    return Registry.objects.get_or_create(role=RegistryRole.TARGET, endpoint=TARGET, managed_by="config")[0]


def config_in(directory: Path, **keys: Any) -> Path:
    return write_config(directory / "config.yaml", target=TARGET, **keys)


def cluster(name: str = "default", **fields: Any) -> Cluster:
    """Create a listed cluster, with a node that has pulled from the target."""
    given = {"platforms": ["linux/amd64"], "listed_at": timezone.now(), **fields}
    ClusterNode.objects.create(
        cluster=name, name="node-1", platform="linux/amd64", ready=True, pulled_at=timezone.now()
    )
    return Cluster.objects.create(name=name, **given)


def mirrored(image: str, **fields: Any) -> ImageMapping:
    source = ImageRef.parse(image)
    given: dict[str, Any] = {
        "existence": "present",
        "access": "anonymous",
        "verified_at": timezone.now(),
        "source_digest": OLD,
        "target_digest": OLD,
        **fields,
    }
    registry = target()
    at_target = registry.target_name.retarget(source)
    return ImageMapping.objects.create(target_registry=registry, source=str(source), target=str(at_target), **given)


def runs(image: str, workload: str, *, namespace: str = "shop", digest: str = OLD, **fields: Any) -> RunningImage:
    source = str(ImageRef.parse(image)) if image else ""
    given = {"cluster": "default", "state": RunningState.RUNNING, "pods": 1, "workload_kind": "Deployment", **fields}
    key = RunningImage.key_of(namespace, given["workload_kind"], workload, image, digest)
    shown = given.pop("image", image or f"{TARGET}/team/lost:1")
    return RunningImage.objects.create(
        namespace=namespace, workload=workload, source=source, image=shown, digest=digest, key=key, **given
    )


def small_cluster() -> None:
    """Create four running workloads, of which one is protected and three have a gap, and a workload that has ended."""
    cluster()
    mirrored("nginx:1.27")
    mirrored("team/moved:1", target_digest=NEW, source_digest=NEW)
    mirrored("ghcr.io/org/paused:1", paused=True)
    runs("nginx:1.27", "web")
    runs("nginx:1.27", "front", namespace="site")
    runs("redis:7", "front", namespace="site")
    runs("team/moved:1", "moved")
    runs("ghcr.io/org/paused:1", "paused")
    runs("nginx:1.27", "gone", state=RunningState.ENDED)
