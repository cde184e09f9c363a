"""A stand-in for scheduler and kubelet: binds pods to one node, runs the project's pods, reports others as running."""

from __future__ import annotations

import itertools
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tests.e2e.cluster.api import Api
from tests.e2e.cluster.containers import is_own
from tests.e2e.cluster.informer import Informer
from tests.e2e.cluster.pods import RunningPod, report
from tests.e2e.cluster.services import ServiceNetwork

NODE = "node"
CHECK_INTERVAL = 0.1
"""Seconds between two checks of all pods and Services. A check costs the API server and this process milliseconds."""


class Node(threading.Thread):
    """One node. Pods on other nodes are only deleted. ``running`` has the pods whose containers are processes."""

    def __init__(self, api: Api, network_address: str, logs: Path) -> None:
        """Create the node. ``network_address`` is the first two numbers of the addresses of pods."""
        super().__init__(name="node", daemon=True)
        self._api = api
        self._network_address = network_address
        self._logs = logs
        self._stopping = threading.Event()
        self._numbers = itertools.count(2)
        self._bound: set[str] = set()
        self._reported: set[str] = set()
        self._ended: set[str] = set()
        self._ending = ThreadPoolExecutor(8, thread_name_prefix="pod-end")
        self.running: dict[str, RunningPod] = {}
        """The running pods by UID."""
        self._network = ServiceNetwork(lambda: list(self.running.values()))
        self._pods = Informer(api, "/api/v1/pods")

    def run(self) -> None:
        self._network.start()
        self._pods.start()
        while not self._stopping.wait(CHECK_INTERVAL):
            pods = self._pods.objects()
            # Read after the pods, so that Services created before a pod are included.
            services = self._api.get("/api/v1/services")["items"]
            self._network.follow(services)
            hosts = dict(_names(services))
            for pod in pods:
                if self._stopping.is_set():
                    return
                self._look_after(pod, hosts)
            self._forget({pod["metadata"]["uid"] for pod in pods})

    def stop(self) -> None:
        self._stopping.set()
        self._pods.stop()
        self.join(10)
        for pod in list(self.running.values()):
            if pod.pod["metadata"]["uid"] not in self._ended:
                self._ending.submit(pod.abandon)
        self._ending.shutdown(wait=True)
        self._network.stop()

    def pods(self, namespace: str, component: str) -> list[RunningPod]:
        """Return the running pods of one component."""
        label = "app.kubernetes.io/component"
        found = list(self.running.values())
        return [pod for pod in found if pod.namespace == namespace and pod.labels.get(label) == component]

    def _look_after(self, pod: Any, hosts: dict[str, str]) -> None:
        meta = pod["metadata"]
        uid, path = meta["uid"], f"/api/v1/namespaces/{meta['namespace']}/pods/{meta['name']}"
        if "deletionTimestamp" in meta:
            self._end(uid, path)
        elif not pod["spec"].get("nodeName"):
            if uid in self._bound:
                return  # The watch has not reported the binding yet.
            target = {"apiVersion": "v1", "kind": "Node", "name": NODE}
            body = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": meta["name"]}, "target": target}
            if self._api.call("POST", f"{path}/binding", body)[0] == 201:
                self._bound.add(uid)
        elif pod["spec"]["nodeName"] != NODE or uid in self.running or uid in self._reported:
            return
        elif pod["status"].get("phase") == "Pending" and _is_run_here(pod):
            number = next(self._numbers)
            address = f"{self._network_address}.{16 + number // 250}.{number % 250 + 1}"
            self.running[uid] = RunningPod(self._api, pod, address, hosts, self._logs)
            self.running[uid].start()
        elif pod["status"].get("phase") == "Pending":
            self._reported.add(uid)
            stays = pod["spec"].get("restartPolicy", "Always") == "Always"
            report(
                self._api,
                pod,
                "Running" if stays else "Succeeded",
                is_ready=stays,
                address=f"{self._network_address}.255.1",
            )

    def _end(self, uid: str, path: str) -> None:
        if uid in self._ended:
            return
        self._ended.add(uid)
        if uid in self.running:
            self._ending.submit(self.running[uid].end)
        else:
            self._api.call("DELETE", path, {"gracePeriodSeconds": 0})

    def _forget(self, there: set[str]) -> None:
        for uid in self.running.keys() - there:
            pod = self.running.pop(uid)
            if uid not in self._ended:
                self._ending.submit(pod.end)
        self._bound &= there
        self._reported &= there


def _is_run_here(pod: Any) -> bool:
    containers = pod["spec"]["containers"]
    return any(is_own(c["image"]) or "/postgres:" in c["image"] for c in containers)


def _names(services: list[Any]) -> list[tuple[str, str]]:
    """Return the names of Services with their cluster IPs. A name without namespace is valid for all pods on this node,
    while a cluster resolves it only in the same namespace."""
    found = []
    for service in services:
        name, namespace = service["metadata"]["name"], service["metadata"]["namespace"]
        address = service["spec"].get("clusterIP", "None")
        if address != "None":
            whole = (name, f"{name}.{namespace}", f"{name}.{namespace}.svc", f"{name}.{namespace}.svc.cluster.local")
            found += [(each, address) for each in whole]
    return found
