"""Conversion of objects of the API server into the states that the watcher keeps. Pure functions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from functools import lru_cache
from sys import intern
from typing import Final, TypeVar

from lightkube.models.meta_v1 import OwnerReference

from mirrors.kubernetes.objects import watched_objects as objects
from mirrors.kubernetes.objects.pod_states import (
    MESSAGE_LENGTH,
    PULL_FAILURES,
    ContainerState,
    NodeState,
    PodState,
    TemplateState,
)
from mirrors.kubernetes.objects.workloads import Workload, deciding_owners, workload_of_owner
from mirrors.vocabulary.bounds import storable

MOST_INTERNED: Final = 32_768
"""Size of the cache that shares equal container states among pods: more than the states of a cluster of 50,000 pods."""

PLATFORM_LENGTH: Final = 40
"""Characters of the platform's column: twice the length of the longest real platform."""

CONTROLLED_KINDS: Final = frozenset({"ReplicaSet", "Job"})
"""Kinds that other workloads create, and keep after their last pod has been deleted."""

T = TypeVar("T")
_FINISHED_PHASES: Final = frozenset({"Succeeded", "Failed"})


def pod_state(pod: objects.Pod) -> PodState:
    metadata, spec, status = pod.metadata, pod.spec or objects.PodSpec(), pod.status or objects.PodStatus()
    owner = _owner(metadata)
    workload = workload_of_owner(owner.kind, owner.name, metadata.labels or {}) if owner else Workload()
    return PodState(
        namespace=intern(metadata.namespace),
        name=metadata.name,
        workload=_workload(*workload),
        owner=intern(owner.uid) if owner else "",
        node=intern(spec.nodeName),
        created_at=_seconds(metadata.creationTimestamp),
        containers=tuple(_containers(spec, status)),
        finished=status.phase in _FINISHED_PHASES,
        deletion_requested_at=_deletion_requested_at(metadata),
    )


def template_state(kind: str, workload: objects.Watched) -> TemplateState | None:
    """Return the state of a workload's pod template.

    None for a ReplicaSet or Job that another workload controls, because that workload's template is read instead, and
    for a finished Job, because it starts no more pods. Deployments and StatefulSets that an operator created count:
    the operator's own resource is not read.
    """
    is_controlled = kind in CONTROLLED_KINDS and _controller(workload.metadata) is not None
    if is_controlled or (kind == "Job" and _is_finished(workload)):
        return None
    spec = _template(workload)
    # Pods of a Job without a CronJob are recorded by their namespace only.
    name = "" if kind == "Job" else workload.metadata.name
    images = dict.fromkeys(intern(image) for _, image in _images(spec) if image)
    return TemplateState(intern(workload.metadata.namespace), _workload(kind, name), tuple(images))


def node_state(node: objects.Node) -> NodeState:
    status = node.status or objects.NodeStatus()
    info = status.nodeInfo
    platform = f"{info.operatingSystem}/{info.architecture}" if info and info.architecture else ""
    platform = storable(platform, PLATFORM_LENGTH)
    ready = any(condition.type == "Ready" and condition.status == "True" for condition in status.conditions or ())
    return NodeState(intern(node.metadata.name), intern(platform), ready)


def _containers(spec: objects.PodSpec, status: objects.PodStatus) -> Iterator[ContainerState]:
    statuses = {
        container_status.name: container_status
        for container_status in _all(status.initContainerStatuses, status.containerStatuses)
    }
    statuses |= {
        container_status.name: container_status for container_status in status.ephemeralContainerStatuses or ()
    }
    any_started = False
    for container in _all(spec.initContainers, spec.containers, spec.ephemeralContainers):
        state = _container(container.name, container.image, statuses.get(container.name))
        any_started |= state.started
        yield state
    for volume in spec.volumes or ():
        if volume.image is not None and volume.image.reference:
            # The kubelet reports no status of image volumes; containers start after all volumes are mounted.
            yield _interned(f"volumes/{volume.name}", volume.image.reference, "", any_started, "", "")


def _container(name: str, image: str, status: objects.ContainerStatus | None) -> ContainerState:
    if status is None:
        return _interned(name, image, "", False, "", "")
    state, last = status.state or objects.State(), status.lastState or objects.State()
    started = any((state.running, state.terminated, last.running, last.terminated))
    waiting = state.waiting or objects.Waiting()
    message = _shortened(waiting.message) if waiting.reason in PULL_FAILURES else ""
    return _interned(name, image, _digest(status.imageID), started, waiting.reason, message)


@lru_cache(maxsize=MOST_INTERNED)
def _interned(name: str, image: str, digest: str, started: bool, reason: str, message: str) -> ContainerState:
    return ContainerState(intern(name), intern(image), intern(digest), started, intern(reason), message)


@lru_cache(maxsize=MOST_INTERNED)
def _workload(kind: str, name: str) -> Workload:
    return Workload(intern(kind), name)


def _digest(image_id: str) -> str:
    """Return the digest in ``docker-pullable://name@sha256:…`` or ``name@sha256:…``.

    A bare ``sha256:…`` is the ID of an image that was built or loaded on the node: the digest of its configuration,
    which identifies no manifest in a registry.
    """
    return image_id.rpartition("@")[2] if "@" in image_id else ""


def _shortened(message: str) -> str:
    """Shorten and clean a message for its database column: it may contain text from a registry."""
    if len(message) > MESSAGE_LENGTH:
        half = MESSAGE_LENGTH // 2
        message = f"{message[:half]} … {message[-half:]}"
    return storable(message)


def _controller(metadata: objects.Metadata) -> OwnerReference | None:
    return next((owner for owner in metadata.ownerReferences or () if owner.controller), None)


def _owner(metadata: objects.Metadata) -> OwnerReference | None:
    owners = deciding_owners(metadata.ownerReferences or (), lambda owner: bool(owner.controller))
    return next(iter(owners), None)


def _deletion_requested_at(metadata: objects.Metadata) -> float:
    """Return when the deletion was requested. The API server's timestamp is the end of the grace period."""
    if not metadata.deletionTimestamp:
        return 0.0
    return _seconds(metadata.deletionTimestamp) - metadata.deletionGracePeriodSeconds


def _is_finished(workload: objects.Watched) -> bool:
    status = getattr(workload, "status", None)
    return any(
        condition.type in ("Complete", "Failed") and condition.status == "True"
        for condition in (status.conditions if status else None) or ()
    )


def _template(workload: objects.Watched) -> objects.PodSpec:
    spec = getattr(workload, "spec", None)
    if isinstance(spec, objects.CronJobSpec):
        spec = spec.jobTemplate.spec if spec.jobTemplate else None
    template = spec.template if isinstance(spec, objects.WorkloadSpec) else None
    return (template.spec if template else None) or objects.PodSpec()


def _images(spec: objects.PodSpec) -> Iterator[tuple[str, str]]:
    yield from ((entry.name, entry.image) for entry in _all(spec.initContainers, spec.containers))
    yield from ((entry.name, entry.image.reference) for entry in spec.volumes or () if entry.image is not None)


def _all(*lists: Iterable[T] | None) -> Iterator[T]:
    for items in lists:
        yield from items or ()


def _seconds(timestamp: str) -> float:
    try:
        return datetime.fromisoformat(timestamp).timestamp()
    except ValueError:
        return 0.0
