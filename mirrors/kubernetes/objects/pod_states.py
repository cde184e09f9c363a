"""The states that a watcher keeps of pods, workload templates and nodes."""

from __future__ import annotations

from typing import Final, NamedTuple

from mirrors.kubernetes.objects.workloads import Workload

PULL_FAILURES: Final = frozenset(
    {
        "ErrImagePull",
        "ImagePullBackOff",
        "InvalidImageName",
        "ErrImageNeverPull",
        "RegistryUnavailable",
        "SignatureValidationFailed",
    }
)
"""The kubelet's reasons for a waiting container that are about its image."""

MESSAGE_LENGTH: Final = 500
"""Characters of the kubelet's message that are kept: half from its start and half from its end, where the cause often
is."""


class ContainerState(NamedTuple):
    """The state of a container of any kind, or of an image volume. Replicas with equal states share one object."""

    name: str
    image: str
    """The image as written in the pod's spec."""
    digest: str
    """``sha256:…`` from ``imageID``; empty until the container has started, and if the runtime reports none."""
    started: bool
    """Whether the container runs or has run, which means that its image was on the node."""
    reason: str
    """The reason why the container waits (``ImagePullBackOff``, ``ContainerCreating`` …), or empty."""
    message: str
    """The kubelet's message about a failed pull; empty otherwise."""

    @property
    def fails_to_pull(self) -> bool:
        return self.reason in PULL_FAILURES


class PodState(NamedTuple):
    """The state of a pod. ``owner`` is the UID of its controller, empty for a bare pod; ``created_at`` is in seconds
    since the epoch."""

    namespace: str
    name: str
    workload: Workload
    owner: str
    node: str
    created_at: float
    containers: tuple[ContainerState, ...]
    finished: bool = False
    """Whether the pod has succeeded or failed, so that none of its containers runs."""
    deletion_requested_at: float = 0.0
    """Seconds since the epoch; 0 if no deletion was requested. The pod exists until its containers have stopped."""


class TemplateState(NamedTuple):
    """A workload and the images in its pod template."""

    namespace: str
    workload: Workload
    images: tuple[str, ...]


class NodeState(NamedTuple):
    """The state of a node. ``platform`` is, for example, ``linux/amd64``; empty until the kubelet reports it."""

    name: str
    platform: str
    ready: bool
