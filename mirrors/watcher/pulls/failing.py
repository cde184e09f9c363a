"""Containers that cannot pull their image, with the registry's side and the cause. A back-off keeps the last cause."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from mirrors.images import ImageRef, InvalidReferenceError, TargetName
from mirrors.kubernetes.objects.pod_states import ContainerState, PodState
from mirrors.kubernetes.objects.pull_messages import cause_of
from mirrors.vocabulary.pull_causes import PullCause, PullSide


class FailingPull(NamedTuple):
    """A container whose image cannot be pulled.

    ``name`` is the name of an image at the target under the configured host, or else the canonical reference; empty for
    an invalid reference. ``since`` is when the failure was first observed, in seconds since the epoch.
    """

    uid: str
    pod: PodState
    image: str
    name: str
    side: PullSide
    cause: PullCause
    message: str
    since: float


class Cause(NamedTuple):
    cause: PullCause
    message: str
    since: float


class FailingPulls:
    """The failing pulls with their last causes, because the kubelet alternates between an error and a back-off that
    contains no cause."""

    def __init__(self) -> None:
        self._causes: dict[tuple[str, str], Cause] = {}

    def update(
        self,
        pods: Iterable[tuple[str, PodState]],
        target: TargetName,
        stored_causes: Mapping[str, tuple[str, str]],
    ) -> list[FailingPull]:
        """Return the current failing pulls. ``stored_causes`` has causes and messages by image, used for back-offs."""
        now, causes, found = time.time(), dict[tuple[str, str], Cause](), []
        for uid, pod in pods:
            if pod.finished:
                continue
            for container in pod.containers:
                if container.fails_to_pull:
                    key = (uid, container.name)
                    causes[key] = cause = self._cause(key, container, stored_causes, now)
                    name, side = registry_side_of(container.image, target)
                    found.append(
                        FailingPull(uid, pod, container.image, name, side, cause.cause, cause.message, cause.since)
                    )
        self._causes = causes
        return found

    def _cause(
        self, key: tuple[str, str], container: ContainerState, stored_causes: Mapping[str, tuple[str, str]], now: float
    ) -> Cause:
        last = self._causes.get(key)
        cause = cause_of(container.reason, container.message, container.image)
        if cause is not None:
            return Cause(cause, container.message, last.since if last else now)
        if last is not None:
            return last
        stored_cause, message = stored_causes.get(container.image, (PullCause.OTHER.value, container.message))
        return Cause(PullCause(stored_cause), message, now)


def registry_side_of(image: str, target: TargetName) -> tuple[str, PullSide]:
    """Return the name under which rows store an image, and whether it is at the target."""
    try:
        ref = ImageRef.parse(image)
    except InvalidReferenceError:
        return "", PullSide.SOURCE
    if target.contains(ref):
        return str(target.with_endpoint_host(ref)), PullSide.TARGET
    return str(ref), PullSide.SOURCE
