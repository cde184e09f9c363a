"""Pods, workloads and nodes that tests create at a real API server, with the states that a kubelet writes."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from tests.e2e.cluster.api import STRATEGIC, Api

TEMPLATE_HASH = "6c5d8b7f9d"


class Objects:
    """Objects of one API server."""

    def __init__(self, api: Api) -> None:
        self.api = api

    def namespace(self, name: str) -> None:
        self.api.create("/api/v1/namespaces", {"metadata": {"name": name}})
        # No controller manager runs to create the service account, and pods are refused without it.
        self.api.create(f"/api/v1/namespaces/{name}/serviceaccounts", {"metadata": {"name": "default"}})

    def clear(self) -> None:
        """Delete all pods immediately, because no kubelet stops them."""
        for pod in self.api.get("/api/v1/pods")["items"]:
            self.delete_pod(pod["metadata"]["namespace"], pod["metadata"]["name"])

    def node(self, name: str, architecture: str = "amd64") -> None:
        self.api.create("/api/v1/nodes", {"metadata": {"name": name}})
        info = dict.fromkeys(
            ("bootID", "containerRuntimeVersion", "kernelVersion", "kubeProxyVersion", "kubeletVersion", "machineID")
            + ("osImage", "systemUUID"),
            "x",
        )
        status = {
            "nodeInfo": {**info, "operatingSystem": "linux", "architecture": architecture},
            "conditions": [{"type": "Ready", "status": "True"}],
        }
        self.api.patch(f"/api/v1/nodes/{name}/status", {"status": status}, STRATEGIC)

    def workload(self, namespace: str, kind: str, name: str, images: Sequence[str], **spec: Any) -> None:
        labels = {"app": name}
        once = {"restartPolicy": "Never"} if kind in ("Job", "CronJob") else {}
        template = {
            "metadata": {"labels": labels},
            "spec": {"containers": [{"name": f"c{n}", "image": image} for n, image in enumerate(images)], **once},
        }
        selector = {"selector": {"matchLabels": labels}, "template": template}
        specs: Mapping[str, tuple[str, dict[str, Any]]] = {
            "Deployment": ("apps/v1", selector),
            "ReplicaSet": ("apps/v1", selector),
            "DaemonSet": ("apps/v1", selector),
            "StatefulSet": ("apps/v1", {**selector, "serviceName": name}),
            "Job": ("batch/v1", {"template": template}),
            "CronJob": ("batch/v1", {"schedule": "0 3 * * *", "jobTemplate": {"spec": {"template": template}}}),
        }
        version, fields = specs[kind]
        body = {"metadata": {"name": name}, "spec": {**fields, **spec}}
        self.api.create(f"/apis/{version}/namespaces/{namespace}/{kind.lower()}s", body)

    def pod(
        self,
        namespace: str,
        name: str,
        image: str,
        *,
        deployment: str = "",
        node: str = "",
        digest: str = "",
        waiting: tuple[str, str] = ("", ""),
        **spec: Any,
    ) -> None:
        """Create a pod. With ``digest``, it runs with that digest. ``waiting`` is the reason and message of a container
        that cannot start."""
        owner = {
            "apiVersion": "apps/v1",
            "kind": "ReplicaSet",
            "name": f"{deployment}-{TEMPLATE_HASH}",
            "uid": str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{namespace}/{deployment}")),
            "controller": True,
        }
        metadata: dict[str, Any] = {"name": name}
        if deployment:
            metadata |= {"ownerReferences": [owner], "labels": {"pod-template-hash": TEMPLATE_HASH}}
        fields = {"containers": [{"name": "app", "image": image}], **({"nodeName": node} if node else {}), **spec}
        self.api.create(f"/api/v1/namespaces/{namespace}/pods", {"metadata": metadata, "spec": fields})
        if digest or waiting[0]:
            self.report(namespace, name, image, digest=digest, waiting=waiting)

    def report(
        self, namespace: str, name: str, image: str, *, digest: str = "", waiting: tuple[str, str] = ("", "")
    ) -> None:
        """Write the status of a pod's only container, as the kubelet does."""
        reason, message = waiting
        state: Any = {"waiting": {"reason": reason, "message": message}} if reason else {"running": {}}
        repository = image.rpartition(":")[0]
        status = {
            "name": "app",
            "image": image,
            "imageID": f"{repository}@{digest}" if digest else "",
            "ready": not reason,
            "restartCount": 0,
            "state": state,
        }
        body = {"status": {"phase": "Pending" if reason else "Running", "containerStatuses": [status]}}
        self.api.patch(f"/api/v1/namespaces/{namespace}/pods/{name}/status", body, STRATEGIC)

    def delete_pod(self, namespace: str, name: str) -> None:
        status, response = self.api.call(
            "DELETE", f"/api/v1/namespaces/{namespace}/pods/{name}", {"gracePeriodSeconds": 0}
        )
        assert status == 200, response
