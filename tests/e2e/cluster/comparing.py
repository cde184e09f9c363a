"""A controller that compares images: it deletes and recreates pods whose image differs from the one that it wrote."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.e2e.cluster.api import Api

RECONCILE_EVERY = 0.3


class ComparingController(threading.Thread):
    """A controller of ConfigMaps with the keys ``image`` and ``replicas``. The product does not know such workloads."""

    def __init__(self, api: Api, namespace: str, name: str, image: str, replicas: int) -> None:
        super().__init__(name=f"controller-{name}", daemon=True)
        self._api = api
        self._pods = f"/api/v1/namespaces/{namespace}/pods"
        self.workload = name
        self._maps = f"/api/v1/namespaces/{namespace}/configmaps"
        self._stopping = threading.Event()
        data = {"image": image, "replicas": str(replicas)}
        self._owner = api.create(self._maps, {"metadata": {"name": name}, "data": data})
        self.image = image
        self.replicas = replicas
        self.created: list[str] = []
        """The image of each pod that this controller has created, as the API server has stored it."""
        self.changed_at = time.monotonic()
        """The time at which this controller last created or deleted a pod."""

    @property
    def deleted(self) -> int:
        """The number of created pods with another image, all of which this controller deletes."""
        return sum(image != self.image for image in self.created)

    def rests(self, seconds: float) -> bool:
        """Return whether the controller has changed nothing for this number of seconds."""
        return time.monotonic() - self.changed_at > seconds

    def stop(self) -> None:
        self._stopping.set()
        self.join(10)

    def run(self) -> None:
        while not self._stopping.wait(RECONCILE_EVERY):
            for number in range(self.replicas):
                self._reconcile(f"{self.workload}-{number}")

    def _reconcile(self, name: str) -> None:
        pod = self._api.get(f"{self._pods}/{name}")
        if pod is None:
            status, made = self._api.call("POST", self._pods, self._pod(name))
            if status == 201:
                self.created.append(made["spec"]["containers"][0]["image"])
        elif "deletionTimestamp" in pod["metadata"] or pod["spec"]["containers"][0]["image"] == self.image:
            return
        else:
            self._api.delete(f"{self._pods}/{name}")
        self.changed_at = time.monotonic()

    def _pod(self, name: str) -> dict[str, Any]:
        owner = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "name": self.workload,
            "uid": self._owner["metadata"]["uid"],
            "controller": True,
        }
        return {
            "metadata": {"name": name, "ownerReferences": [owner]},
            "spec": {"containers": [{"name": "app", "image": self.image}]},
        }


@contextmanager
def comparing(api: Api, namespace: str, name: str, image: str, *, replicas: int = 1) -> Iterator[ComparingController]:
    controller = ComparingController(api, namespace, name, image, replicas)
    controller.start()
    try:
        yield controller
    finally:
        controller.stop()
