"""A release on a real API server: its objects applied, its set-up done, its pods run by a stand-in for the kubelet."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.chart.stand_in import Kubelet
from tests.support.controlplane import ADMIN, ControlPlane
from tests.support.helm import Manifests, Object, containers, render
from tests.support.ports import free_port

PASSWORD = "p@ss:w/rd#%41?&"
"""Whatever a password has in it, it is not part of an address."""

WORKLOADS = ("CronJob", "Deployment", "Job", "Pod", "StatefulSet")
HOOKS = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations"
ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
RESOLVER = """
import socket
original = socket.getaddrinfo
socket.getaddrinfo = lambda host, *a, **k: original("127.0.0.1" if str(host).endswith(".svc") else host, *a, **k)
"""
"""Names of Services are here."""


@dataclass
class Installation:
    name: str
    manifests: Manifests
    kubelet: Kubelet

    def template(self, kind: str, role: str = "") -> Object:
        name = f"{self.name}-{role}" if role else self.name
        found: Object = self.manifests.get(kind, name)["spec"]["template"]
        return found

    @property
    def job(self) -> Object:
        (job,) = self.manifests.all("Job")
        template: Object = job["spec"]["template"]
        return template

    def set_up(self) -> None:
        """As the Job does."""
        for container in containers(self.job):
            self.run(self.job, container)

    def run(self, pod: Object, container: Object) -> None:
        """To its end, which must be a success."""
        process = self.kubelet.process(pod, container)
        process.start()
        assert process.popen is not None
        assert process.popen.wait(60) == 0, process.log.read_text()

    def hook(self) -> Object:
        (found,) = self.kubelet.plane.request("GET", f"{HOOKS}/{self.name}")["webhooks"]
        return dict(found)

    def secrets(self) -> dict[str, dict[str, str]]:
        names = ("app", "admin", "tls")
        return {name: self.kubelet.secret(f"{self.name}-{name}") for name in names}


def apply(plane: ControlPlane, objects: list[Object]) -> None:
    command = ["kubectl", "apply", "--server-side", "--filename", "-"]
    environment = {**os.environ, "KUBECONFIG": str(plane.kubeconfig(ADMIN))}
    ended = subprocess.run(
        command, input=yaml.safe_dump_all(objects), env=environment, capture_output=True, text=True, timeout=60
    )
    assert ended.returncode == 0, ended.stderr


@contextmanager
def installed(plane: ControlPlane, directory: Path, values: Mapping[str, Any]) -> Iterator[Installation]:
    """With these values, in a namespace of its own; ``values`` may name a Secret ``database`` with the password."""
    name = f"chart-{uuid.uuid4().hex[:8]}"
    port = free_port()
    common = {
        "fullnameOverride": name,
        "containerPort": port,
        "service": {"port": port},
        "config": {"target": {"type": "oci", "oci": {"endpoint": "mirror.example.com"}}, "logFormat": "json"},
        # Of this test alone: others use the same API server.
        "webhook": {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": f"{name}-apps"}}},
    }
    manifests = render({**common, **values}, namespace=name)
    for namespace in (name, f"{name}-apps"):
        plane.namespace(namespace)
        plane.request("POST", f"/api/v1/namespaces/{namespace}/serviceaccounts", {"metadata": {"name": "default"}})
    plane.secret(name, "database", "Opaque", {"password": PASSWORD})
    apply(plane, [found for found in manifests.objects if found["kind"] not in WORKLOADS])
    installation = Installation(name, manifests, Kubelet(plane, name, directory))
    installation.set_up()
    yield installation
    plane.request("DELETE", f"{HOOKS}/{name}")


def create_pod(plane: ControlPlane, namespace: str) -> None:
    pod = {"metadata": {"name": "app"}, "spec": {"containers": [{"name": "app", "image": "docker.io/library/nginx:1"}]}}
    plane.request("POST", f"/api/v1/namespaces/{namespace}/pods", pod)


def helm_test(installation: Installation) -> subprocess.CompletedProcess[str]:
    """The program of the test's pod, with the token of its account."""
    kubelet, name = installation.kubelet, f"{installation.name}-test"
    pod = installation.manifests.get("Pod", name)
    (container,) = containers(pod)
    account = kubelet.directory / "account"
    account.mkdir(exist_ok=True)
    (account / "token").write_text(kubelet.token(pod["spec"]["serviceAccountName"]))
    (account / "ca.crt").write_text(kubelet.plane.ca_file.read_text())
    (account / "sitecustomize.py").write_text(RESOLVER)
    host, _, port = kubelet.plane.url.removeprefix("https://").rpartition(":")
    given = {entry["name"]: entry["value"] for entry in container["env"]}
    environment = {"KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": port, "PYTHONPATH": str(account)}
    program = container["args"][0].replace(ACCOUNT, str(account))
    return subprocess.run(
        [sys.executable, "-c", program], env={**environment, **given}, capture_output=True, text=True, timeout=60
    )
