"""Containers that cannot pull their image, from where, and why. A back-off keeps the cause that was known."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from mirrors.images import ImageRef, InvalidReferenceError, TargetName
from mirrors.kubernetes.objects.pod_states import ContainerState, PodState
from mirrors.kubernetes.objects.pull_messages import cause_of
from mirrors.vocabulary.pull_causes import PullCause, PullSide


class FailingPull(NamedTuple):
    """A container whose image cannot be pulled. ``name`` is the image's own name at the target, or its canonical
    reference; empty for an invalid one. ``since`` is when it was first seen, in seconds since the epoch."""

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
    """Remembers causes: the kubelet alternates between the error and a back-off that has none."""

    def __init__(self) -> None:
        self._causes: dict[tuple[str, str], Cause] = {}

    def look(
        self,
        pods: Iterable[tuple[str, PodState]],
        target: TargetName,
        earlier: Mapping[str, tuple[str, str]],
    ) -> list[FailingPull]:
        """Those of now. ``earlier`` has the cause and message by image that an earlier leader has written."""
        now, causes, found = time.time(), dict[tuple[str, str], Cause](), []
        for uid, pod in pods:
            if pod.ended:
                continue
            for container in pod.containers:
                if container.fails_to_pull:
                    key = (uid, container.name)
                    causes[key] = cause = self._cause(key, container, earlier, now)
                    name, side = registry_side_of(container.image, target)
                    found.append(
                        FailingPull(uid, pod, container.image, name, side, cause.cause, cause.message, cause.since)
                    )
        self._causes = causes
        return found

    def _cause(
        self, key: tuple[str, str], container: ContainerState, earlier: Mapping[str, tuple[str, str]], now: float
    ) -> Cause:
        last = self._causes.get(key)
        cause = cause_of(container.reason, container.message, container.image)
        if cause is not None:
            return Cause(cause, container.message, last.since if last else now)
        if last is not None:
            return last
        known, message = earlier.get(container.image, (PullCause.OTHER.value, container.message))
        return Cause(PullCause(known), message, now)


def registry_side_of(image: str, target: TargetName) -> tuple[str, PullSide]:
    """The name that rows have of an image, and whether it lies at the target."""
    try:
        ref = ImageRef.parse(image)
    except InvalidReferenceError:
        return "", PullSide.SOURCE
    if target.contains(ref):
        return str(target.under_own_name(ref)), PullSide.TARGET
    return str(ref), PullSide.SOURCE
