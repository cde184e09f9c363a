"""Adapters that store each kind of object in the inventory."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

from mirrors.kubernetes.objects import watched_objects as objects
from mirrors.kubernetes.objects.object_states import node_state, pod_state, template_state
from mirrors.kubernetes.objects.pod_states import TemplateState
from mirrors.watcher.inventory import Inventory


class Destination(Protocol):
    """A receiver of the objects of one kind in one namespace, or in all (empty)."""

    def replace(self, items: Iterable[Any]) -> None: ...

    def put(self, item: Any) -> None: ...

    def remove(self, item: Any) -> None: ...


class Pods:
    def __init__(self, inventory: Inventory, namespace: str) -> None:
        self._inventory, self._namespace = inventory, namespace

    def replace(self, items: Iterable[Any]) -> None:
        pods = {pod.metadata.uid: pod_state(pod) for pod in items}
        self._inventory.replace_pods(pods, self._namespace)

    def put(self, item: Any) -> None:
        self._inventory.put_pod(item.metadata.uid, pod_state(item))

    def remove(self, item: Any) -> None:
        self._inventory.remove_pod(item.metadata.uid)


class Templates:
    """The destination of one kind of workload."""

    def __init__(self, inventory: Inventory, kind: str, namespace: str) -> None:
        self._inventory, self._kind, self._namespace = inventory, kind, namespace

    def replace(self, items: Iterable[Any]) -> None:
        states = {self._key(item): self._state(item) for item in items}
        templates = {key: state for key, state in states.items() if state is not None}
        self._inventory.replace_templates(self._kind, templates, self._namespace)

    def put(self, item: Any) -> None:
        if (state := self._state(item)) is not None:
            self._inventory.put_template(self._key(item), state)
        else:
            self.remove(item)

    def remove(self, item: Any) -> None:
        self._inventory.remove_template(self._key(item))

    def _state(self, item: Any) -> TemplateState | None:
        return template_state(self._kind, item)

    def _key(self, item: Any) -> str:
        return f"{self._kind}/{item.metadata.uid}"


class Nodes:
    def __init__(self, inventory: Inventory) -> None:
        self._inventory = inventory

    def replace(self, items: Iterable[Any]) -> None:
        self._inventory.replace_nodes({node.metadata.name: node_state(node) for node in items})

    def put(self, item: Any) -> None:
        self._inventory.put_node(node_state(item))

    def remove(self, item: Any) -> None:
        self._inventory.remove_node(item.metadata.name)


def destinations(inventory: Inventory, namespaces: Iterable[str]) -> list[tuple[Any, str, Destination]]:
    """Return each watched kind, its namespace (empty: all), and the destination of its objects."""
    places = tuple(namespaces) or ("",)
    found: list[tuple[Any, str, Destination]] = [(objects.Node, "", Nodes(inventory))]
    for place in places:
        found.append((objects.Pod, place, Pods(inventory, place)))
        found += [(kind, place, Templates(inventory, kind.__name__, place)) for kind in objects.WATCHED_WORKLOADS]
    return found
