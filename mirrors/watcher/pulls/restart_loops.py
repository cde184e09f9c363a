"""The watcher's task for restart loops: controllers that delete pods whose image is not the one that they specified.

Scale-downs, rolling updates and Jobs are not restart loops: their pods are older, have another owner, or have ended.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

import structlog

from mirrors import selectors, services
from mirrors.kubernetes.objects.pod_states import PodState
from mirrors.kubernetes.objects.workloads import Workload
from mirrors.selectors.clusters.pull_failures import mirrored_images
from mirrors.services import FoundLoop
from mirrors.vocabulary.pull_causes import PullSide
from mirrors.watcher.inventory import DeletedPod, Inventory
from mirrors.watcher.pulls.failing import registry_side_of
from swapper_project.config import Config

log = structlog.get_logger(__name__)

YOUNG_POD_SECONDS: Final = 60.0
"""The most seconds between the creation of a pod and the request to delete it, for a pod to count: controllers that
compare images do so within 30 seconds, and some wait until a pod is ready."""

LOOP_ROUNDS: Final = 5
"""Deleted pods of one owner that make a loop."""

ROUNDS_WINDOW: Final = 600.0
"""Seconds within which all rounds must happen."""

ROUND_INTERVAL: Final = 5.0
"""The least seconds between the creations of two pods that count as two rounds: pods that were created together by a
scale-up may be deleted together by a scale-down."""

MOST_OWNERS: Final = 20_000
"""The most pairs of owner and image that are tracked; those without a round for longest are dropped first."""


class LoopKey(NamedTuple):
    """Pods of one owner with one image at the target. ``name`` is the image's name under the configured host."""

    owner: str
    name: str


class CompletedRounds(NamedTuple):
    """A key whose rounds are complete, with the image and the last deleted pod."""

    key: LoopKey
    image: str
    pod: PodState


class RestartLoops:
    """The InventoryTask for restart loops. Rounds are kept in memory only: a new leader starts counting from zero."""

    def __init__(self, config_source: Callable[[], Config]) -> None:
        self._config_source = config_source
        self._rounds: dict[LoopKey, deque[DeletedPod]] = {}

    def run(self, inventory: Inventory) -> None:
        config = self._config_source()
        with inventory.lock:
            deleted_pods, pods = list(inventory.deleted_pods), inventory.pods.values() if inventory.deleted_pods else ()
            alive = list(pods)
        completed = {loop.key: loop for deleted_pod in deleted_pods for loop in self._count(deleted_pod, config)}
        if completed:
            self._record(config, completed, alive)
        services.prune_loops(cluster=config.cluster_name)

    def _count(self, deleted_pod: DeletedPod, config: Config) -> Iterator[CompletedRounds]:
        """Count a deleted pod. Yield its keys whose rounds are complete."""
        pod = deleted_pod.pod
        if not pod.owner or pod.finished or deleted_pod.deleted_at - pod.created_at > YOUNG_POD_SECONDS:
            return
        for image in dict.fromkeys(container.image for container in pod.containers):
            name, side = registry_side_of(image, config.target.name)
            if side is PullSide.TARGET and self._is_complete(key := LoopKey(pod.owner, name), deleted_pod):
                yield CompletedRounds(key, image, pod)

    def _is_complete(self, key: LoopKey, deleted_pod: DeletedPod) -> bool:
        rounds = self._rounds.pop(key, None) or deque(maxlen=LOOP_ROUNDS)
        # Insert the key last, so that the first key is the one without a round for longest.
        self._rounds[key] = rounds
        if len(self._rounds) > MOST_OWNERS:
            del self._rounds[next(iter(self._rounds))]
        if all(abs(deleted_pod.pod.created_at - other.pod.created_at) >= ROUND_INTERVAL for other in rounds):
            rounds.append(deleted_pod)
        return len(rounds) == LOOP_ROUNDS and deleted_pod.deleted_at - rounds[0].deleted_at <= ROUNDS_WINDOW

    def _is_one_pod(self, key: LoopKey) -> bool:
        """Return whether all rounds are of the same pod name: a controller that recreates one pod at a time."""
        return len({deleted_pod.pod.name for deleted_pod in self._rounds[key]}) == 1

    def _record(self, config: Config, completed: dict[LoopKey, CompletedRounds], alive: list[PodState]) -> None:
        now, target = time.time(), config.target.name
        owners = {key.owner for key in completed}
        lasting = {
            LoopKey(pod.owner, registry_side_of(container.image, target)[0])
            for pod in alive
            if pod.owner in owners and now - pod.created_at > YOUNG_POD_SECONDS and not pod.finished
            for container in pod.containers
        }
        registry_id = selectors.target_registry_id(endpoint=target.endpoint, prefix=target.prefix)
        mirrored = mirrored_images(registry_id, [key.name for key in completed], cluster=config.cluster_name)
        for key, loop in completed.items():
            # Other pods of the owner keep running with this image, so the image is not the reason, or not yet.
            if (key in lasting and not self._is_one_pod(key)) or key.name not in mirrored:
                continue
            del self._rounds[key]
            self._suspend(config.cluster_name, loop, mirrored[key.name].source)

    @staticmethod
    def _suspend(cluster: str, loop: CompletedRounds, source: str) -> None:
        workload: Workload = loop.pod.workload
        services.record_loop(
            cluster=cluster,
            loop=FoundLoop(loop.pod.namespace, workload.kind, workload.name, source, loop.image, LOOP_ROUNDS),
        )
        log.warning(
            "The pods of a workload are deleted again and again right after their image was swapped; it is not swapped "
            "there for a day. Exclude the workload with a filter, or use the mirror's reference in it",
            cluster=cluster,
            namespace=loop.pod.namespace,
            workload=f"{workload.kind}/{workload.name}",
            image=source,
            pods=LOOP_ROUNDS,
        )
