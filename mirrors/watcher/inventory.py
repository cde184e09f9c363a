"""The inventory of the cluster, in memory: only the fields of pods, workloads and nodes that the tasks need."""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Protocol, runtime_checkable

from mirrors.kubernetes.objects.pod_states import NodeState, PodState, TemplateState

MOST_DELETED_PODS: Final = 20_000
"""The most deleted pods that are kept for the next turn of the tasks: a thousand per second for two turns."""


class DeletedPod(NamedTuple):
    """A pod that was deleted. ``deleted_at``, in seconds since the epoch, is the time of the request to delete it,
    because its containers may take long to stop."""

    pod: PodState
    deleted_at: float


@dataclass(slots=True)
class Inventory:
    """The state of the cluster, changed by the feeds' threads and read by tasks. Both hold ``lock``, tasks only while
    they copy the data that they need.

    ``changes`` counts the changes, so that a task can detect whether there were any.
    """

    pods: dict[str, PodState] = field(default_factory=dict)
    """By UID."""
    templates: dict[str, TemplateState] = field(default_factory=dict)
    """By kind and UID of the workload."""
    nodes: dict[str, NodeState] = field(default_factory=dict)
    """By name."""
    deleted_pods: deque[DeletedPod] = field(default_factory=lambda: deque(maxlen=MOST_DELETED_PODS))
    """Deleted pods. The watcher removes them after each turn."""
    changes: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def put_pod(self, uid: str, pod: PodState) -> None:
        with self.lock:
            previous = self.pods.get(uid)
            if previous and previous.deletion_requested_at:
                # Keep the first time: the kubelet's final delete request sets another one.
                pod = pod._replace(deletion_requested_at=previous.deletion_requested_at)
            self.changes += previous != pod
            self.pods[uid] = pod

    def remove_pod(self, uid: str) -> None:
        with self.lock:
            if pod := self.pods.pop(uid, None):
                self.deleted_pods.append(DeletedPod(pod, pod.deletion_requested_at or time.time()))
                self.changes += 1

    def replace_pods(self, pods: dict[str, PodState], namespace: str = "") -> None:
        """Replace the pods of a namespace, or all, by a new list. Pods that are not in it were deleted unobserved."""
        with self.lock:
            others = {uid: pod for uid, pod in self.pods.items() if namespace and pod.namespace != namespace}
            self.pods = {**others, **pods}
            self.changes += 1

    def put_template(self, key: str, template: TemplateState) -> None:
        with self.lock:
            self.changes += self.templates.get(key) != template
            self.templates[key] = template

    def remove_template(self, key: str) -> None:
        with self.lock:
            self.changes += self.templates.pop(key, None) is not None

    def replace_templates(self, kind: str, templates: dict[str, TemplateState], namespace: str = "") -> None:
        with self.lock:
            others = {
                key: template
                for key, template in self.templates.items()
                if not key.startswith(f"{kind}/") or (namespace and template.namespace != namespace)
            }
            self.templates = {**others, **templates}
            self.changes += 1

    def put_node(self, node: NodeState) -> None:
        with self.lock:
            self.changes += self.nodes.get(node.name) != node
            self.nodes[node.name] = node

    def remove_node(self, name: str) -> None:
        with self.lock:
            self.changes += self.nodes.pop(name, None) is not None

    def replace_nodes(self, nodes: dict[str, NodeState]) -> None:
        with self.lock:
            self.nodes = nodes
            self.changes += 1

    def drop_deleted_pods(self, count: int) -> None:
        """Drop the oldest deleted pods, which all tasks have processed. ``count`` is their number."""
        with self.lock:
            for _ in range(min(count, len(self.deleted_pods))):
                self.deleted_pods.popleft()


@runtime_checkable
class Closable(Protocol):
    """A task that must release something when the watcher no longer leads."""

    def close(self) -> None: ...


class InventoryTask(Protocol):
    """A task that the leading watcher runs with the inventory once per turn.

    A task reports its own errors. Any exception except a database error is logged, and the other tasks still run.
    """

    def run(self, inventory: Inventory) -> None: ...
