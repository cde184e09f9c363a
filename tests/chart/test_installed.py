"""On a real API server: the set-up with the chart's own rights, and the processes as their pods run them."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import urllib3
import yaml

from tests.chart.stand_in import Kubelet
from tests.support.controlplane import ADMIN, ControlPlane
from tests.support.databases import query
from tests.support.helm import Manifests, Object, containers, render
from tests.support.ports import free_port, wait_until
from tests.support.postgres import require_postgres, running_server
from tests.support.system import POOL, Process

PASSWORD = "p@ss:w/rd#%41?&"
"""Whatever a password has in it, it is no part of an address."""

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


@pytest.fixture(scope="module")
def database_port() -> Iterator[int]:
    """A Postgres that asks for the password."""
    require_postgres()
    with running_server() as server:
        query(f"{server.url}/postgres", f"ALTER ROLE swapper PASSWORD '{PASSWORD}'")
        query(f"{server.url}/postgres", "CREATE DATABASE images")
        rules = Path(query(f"{server.url}/postgres", "SHOW hba_file")[0][0])
        rules.write_text("host all all 127.0.0.1/32 scram-sha-256\nlocal all all trust\n")
        query(f"{server.url}/postgres", "SELECT pg_reload_conf()")
        yield server.port


@pytest.fixture(scope="module")
def installation(
    plane: ControlPlane, database_port: int, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Installation]:
    name = f"chart-{uuid.uuid4().hex[:8]}"
    port = free_port()
    values: dict[str, Any] = {
        "fullnameOverride": name,
        "containerPort": port,
        "service": {"port": port},
        "externalDatabase": {
            "host": "127.0.0.1",
            "port": database_port,
            "database": "images",
            "existingSecret": "database",
        },
        "config": {"target": {"type": "oci", "oci": {"endpoint": "mirror.example.com"}}, "logFormat": "json"},
        # Of this test alone: others use the same API server.
        "webhook": {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": f"{name}-apps"}}},
    }
    manifests = render(values, namespace=name)
    for namespace in (name, f"{name}-apps"):
        plane.namespace(namespace)
        plane.request("POST", f"/api/v1/namespaces/{namespace}/serviceaccounts", {"metadata": {"name": "default"}})
    plane.secret(name, "database", "Opaque", {"password": PASSWORD})
    apply(plane, [found for found in manifests.objects if found["kind"] not in WORKLOADS])
    installed = Installation(name, manifests, Kubelet(plane, name, tmp_path_factory.mktemp("pods")))
    installed.set_up()
    yield installed
    plane.request("DELETE", f"{HOOKS}/{name}")


def test_the_set_up_makes_what_is_absent_with_the_rights_of_the_chart(installation: Installation) -> None:
    made = installation.secrets()

    assert len(made["app"]["secret-key"]) >= 50
    assert set(made["admin"]) == {"username", "password"}
    assert {"tls.crt", "tls.key", "ca-bundle.crt"} <= set(made["tls"])
    assert installation.hook()["clientConfig"]["service"]["path"] == f"/webhook/{made['app']['webhook-token']}"
    assert installation.hook()["clientConfig"]["caBundle"]

    installation.set_up()

    assert installation.secrets() == made


def test_an_upgrade_leaves_what_the_set_up_has_written(installation: Installation) -> None:
    before = installation.hook()["clientConfig"]
    apply(installation.kubelet.plane, [found for found in installation.manifests.objects if "webhooks" in found])

    assert installation.hook()["clientConfig"] == before


def is_ready(address: str, process: Process) -> bool:
    assert process.popen is not None
    assert process.popen.poll() is None, process.log.read_text()
    try:
        return POOL.request("GET", f"{address}/readyz", retries=False, timeout=5).status == 200
    except urllib3.exceptions.HTTPError:
        return False


@pytest.mark.timeout(240)
def test_pods_run_and_the_api_server_reaches_the_webhook(installation: Installation) -> None:
    kubelet = installation.kubelet
    web, worker, webhook = (installation.template("Deployment", role) for role in ("web", "worker", ""))
    installation.run(web, containers(web)[0])
    with ExitStack() as stack:
        processes = {}
        for pod in (web, worker, webhook):
            process = kubelet.process(pod, containers(pod)[-1])
            process.start()
            stack.callback(process.stop)
            processes[containers(pod)[-1]["name"]] = process
        port = containers(webhook)[0]["ports"][0]["containerPort"]
        addresses = {
            "web": f"http://127.0.0.1:{kubelet.port(8000)}",
            "worker": f"http://127.0.0.1:{kubelet.port(8001)}",
            "k8s-image-swapper": f"https://127.0.0.1:{port}",
        }
        for name, process in processes.items():
            ready = partial(is_ready, addresses[name], process)
            wait_until(ready, timeout=60, what=f"{name} (log: {process.log})")

        create_pod(kubelet.plane, f"{installation.name}-apps")
        log = processes["k8s-image-swapper"].log
        wait_until(lambda: '"message":"Admitted"' in log.read_text(), what=f"an admission (log: {log})")
        assert f'"namespace":"{installation.name}-apps"' in log.read_text()

        ended = helm_test(installation)
        assert ended.returncode == 0, ended.stderr
        assert "over TLS that the caBundle verifies" in ended.stdout
        # All at once, each takes a while to end.
        for process in processes.values():
            assert process.popen is not None
            process.popen.terminate()


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


def test_the_test_says_what_is_wrong(installation: Installation) -> None:
    """No webhook runs here."""
    ended = helm_test(installation)

    assert ended.returncode == 1
    assert "cannot be reached as the API server reaches it" in ended.stderr
