"""What is known of the cluster, in memory: as little of each pod, workload and node as the tasks need."""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Protocol

from mirrors.kubernetes.pod_states import NodeState, PodState, TemplateState

MOST_DEPARTED: Final = 20_000
"""Deleted pods that are kept for the next turn of the tasks: a thousand a second of them for two turns."""


class Departed(NamedTuple):
    """A pod that was deleted. ``deleted_at`` is in seconds since the epoch."""

    pod: PodState
    deleted_at: float


@dataclass(slots=True)
class Inventory:
    """Changed by the threads that watch, read by tasks: both hold ``lock``, tasks only to copy what they need."""

    pods: dict[str, PodState] = field(default_factory=dict)
    """By UID."""
    templates: dict[str, TemplateState] = field(default_factory=dict)
    """By UID of the workload."""
    nodes: dict[str, NodeState] = field(default_factory=dict)
    """By name."""
    departed: deque[Departed] = field(default_factory=lambda: deque(maxlen=MOST_DEPARTED))
    """Emptied by the watcher after each turn."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def put_pod(self, uid: str, pod: PodState) -> None:
        with self.lock:
            self.pods[uid] = pod

    def remove_pod(self, uid: str) -> None:
        with self.lock:
            if pod := self.pods.pop(uid, None):
                self.departed.append(Departed(pod, time.time()))

    def replace_pods(self, pods: dict[str, PodState]) -> None:
        """After a new list: those that it does not have were deleted while nobody watched."""
        with self.lock:
            self.pods = pods


class InventoryTask(Protocol):
    """Something that is done with the inventory once a turn, by the watcher that leads. It makes its own errors known;
    an exception ends this turn of it alone."""

    def run(self, inventory: Inventory) -> None: ...
