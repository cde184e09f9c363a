"""The nodes on which a pull from the target succeeded, and when.

A pull succeeded if a container started with an image that was not on its node before, or whose pull failed before.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from mirrors.images import TargetName
from mirrors.kubernetes.objects.pod_states import PodState
from mirrors.vocabulary.pull_causes import PullSide
from mirrors.watcher.pulls.failing import FailingPull, registry_side_of

MOST_CACHED_IMAGES: Final = 100_000
"""The most images in the cache of sides, about 20 MB, before it is cleared."""


class SuccessfulPulls:
    """The last successful pulls: ``at`` is their time by node, in seconds since the epoch.

    Containers that already run at the first observation do not count, because their pulls may be old.
    """

    def __init__(self) -> None:
        self.at: dict[str, float] = {}
        self.started_since: dict[str, float] = {}
        """By node, when the newest pod was created that has started a container with an image of the target."""
        self._seen: set[tuple[str, str]] | None = None
        self._failing: set[str] = set()
        self._target: TargetName | None = None
        self._at_target: dict[str, bool] = {}

    def update(
        self, pods: Iterable[tuple[str, PodState]], failing: Iterable[FailingPull], target: TargetName, now: float
    ) -> None:
        if target != self._target or len(self._at_target) > MOST_CACHED_IMAGES:
            self._target, self._at_target = target, {}
        failed, seen = self._failing, set[tuple[str, str]]()
        for uid, pod in pods:
            for container in pod.containers:
                # A container that ran before may have to pull again, and does not count until that pull succeeds.
                has_pulled = container.started and not container.fails_to_pull
                if not has_pulled or not pod.node or not self._is_at_target(container.image):
                    continue
                node_image = (pod.node, container.image)
                seen.add(node_image)
                self.started_since[pod.node] = max(self.started_since.get(pod.node, 0.0), pod.created_at)
                is_new = self._seen is not None and node_image not in self._seen
                if is_new or f"{uid}/{container.name}" in failed:
                    self.at[pod.node] = now
        self._seen = seen
        at_target = (f for f in failing if f.side is PullSide.TARGET)
        self._failing = {f"{f.uid}/{c.name}" for f in at_target for c in f.pod.containers if c.fails_to_pull}

    def _is_at_target(self, image: str) -> bool:
        is_at_target = self._at_target.get(image)
        if is_at_target is None:
            assert self._target is not None
            is_at_target = self._at_target[image] = registry_side_of(image, self._target)[1] is PullSide.TARGET
        return is_at_target
