"""The state of a running pod: its owner, its node, and for each container the image and whether it was pulled."""

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
"""Reasons for which a container waits, as the kubelet writes them, that are about its image."""

MESSAGE_LENGTH: Final = 500
"""Characters of the kubelet's message that are kept: half of them from its end, where the cause often is."""


class ContainerState(NamedTuple):
    """A container, of any kind. Equal ones of replicas are one object."""

    name: str
    image: str
    """As the pod's spec has it."""
    digest: str
    """``sha256:…`` from ``imageID``; empty until it has started, and where the runtime gives none."""
    started: bool
    """Whether it runs or has run: then its image was on the node."""
    reason: str
    """Why it waits (``ImagePullBackOff``, ``ContainerCreating`` …), or empty."""
    message: str
    """The kubelet's words about a pull that failed; empty otherwise."""

    @property
    def fails_to_pull(self) -> bool:
        return self.reason in PULL_FAILURES


class PodState(NamedTuple):
    """A pod. ``owner`` is the UID of its controller, empty for a bare pod; ``created_at`` seconds since the epoch."""

    namespace: str
    name: str
    workload: Workload
    owner: str
    node: str
    created_at: float
    containers: tuple[ContainerState, ...]
    ended: bool = False
    """Succeeded or Failed: nothing of it runs."""
    deletion_requested_at: float = 0.0
    """Seconds since the epoch; 0 for a pod that nobody deletes. It stays until its containers have stopped."""


class TemplateState(NamedTuple):
    """A workload and the images that its pod template names."""

    namespace: str
    workload: Workload
    images: tuple[str, ...]


class NodeState(NamedTuple):
    """A node. ``platform`` is such as ``linux/amd64``, empty while the kubelet has not reported it."""

    name: str
    platform: str
    ready: bool
