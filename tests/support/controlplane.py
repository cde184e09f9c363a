"""A real Kubernetes API server with its etcd, on free ports of 127.0.0.1."""

from __future__ import annotations

import base64
import os
import shutil
import signal
import ssl
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import urllib3
import yaml

from swapper_project.process.parent_death import die_with_parent
from tests.support.authority import Authority
from tests.support.kube_build import binaries
from tests.support.ports import free_port, loopback_network, wait_until
from tests.support.processes import end

ADMIN, OTHER = "admin-token-for-tests", "worker-token-for-tests"
"""The bearer tokens of a cluster administrator and of the service account ``swapper/worker``."""

ACCOUNT = "system:serviceaccount:swapper:worker"


@dataclass(frozen=True)
class ControlPlane:
    url: str
    ca_file: Path
    directory: Path
    network: str
    """The /16 of the loopback range that this cluster uses. Its Services have the addresses in `NETWORK.0.0/20`."""
    etcd: str
    """The URL of etcd, which also serves its API as JSON."""
    server: Program

    @contextmanager
    def outage(self) -> Iterator[None]:
        """Stop the API server within the block. etcd keeps all objects."""
        self.server.stop()
        try:
            yield
        finally:
            self.server.start()
            wait_until(lambda: _is_ready(self), timeout=90, what="the API server")

    def compact(self) -> None:
        """Drop the history of all objects. The API server itself does this every five minutes, with history older than
        that."""
        found = urllib3.request("POST", f"{self.etcd}/v3/kv/range", json={"key": "AA=="}, timeout=10).json()
        revision = found["header"]["revision"]
        response = urllib3.request("POST", f"{self.etcd}/v3/kv/compaction", json={"revision": revision}, timeout=30)
        assert response.status == 200, response.data

    def request(self, method: str, path: str, body: Any = None, *, token: str = ADMIN) -> Any:
        """Send one API request and return the response document."""
        pool = urllib3.PoolManager(ca_certs=str(self.ca_file))
        response = pool.request(method, f"{self.url}{path}", json=body, headers={"Authorization": f"Bearer {token}"})
        assert response.status < 300, response.data
        return response.json()

    def create(self, path: str, name: str, kind: str, **fields: Any) -> None:
        version = "v1" if path.startswith("/api/v1") else path.split("/")[2] + "/" + path.split("/")[3]
        self.request("POST", path, {"apiVersion": version, "kind": kind, "metadata": {"name": name}, **fields})

    def replace(self, path: str, body: Any) -> bool:
        """Replace an object. Return False if it was changed after it was read."""
        pool = urllib3.PoolManager(ca_certs=str(self.ca_file))
        response = pool.request("PUT", f"{self.url}{path}", json=body, headers={"Authorization": f"Bearer {ADMIN}"})
        assert response.status in (200, 409), response.data
        return response.status == 200

    def namespace(self, name: str) -> None:
        self.create("/api/v1/namespaces", name, "Namespace")

    def secret(self, namespace: str, name: str, kind: str, data: dict[str, str], **metadata: Any) -> None:
        """Create a Secret. ``data`` is plain text."""
        encoded = {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}
        body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, **metadata}, "type": kind}
        self.request("POST", f"/api/v1/namespaces/{namespace}/secrets", {**body, "data": encoded})

    def delete_secret(self, namespace: str, name: str) -> None:
        self.request("DELETE", f"/api/v1/namespaces/{namespace}/secrets/{name}")

    def let_worker_read(self, namespace: str, *resources: str) -> None:
        """Create a role for the worker, as the chart's secretReader does."""
        rbac = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}"
        rules = [{"apiGroups": [""], "resources": list(resources), "verbs": ["get"]}]
        self.create(f"{rbac}/roles", "reader", "Role", rules=rules)
        subject = {"kind": "ServiceAccount", "name": "worker", "namespace": "swapper"}
        role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "reader"}
        self.create(f"{rbac}/rolebindings", "reader", "RoleBinding", subjects=[subject], roleRef=role)

    def kubeconfig(self, token: str = OTHER, namespace: str = "swapper") -> Path:
        """Write a kubeconfig and return its path. It is for the worker's service account unless another token is
        given."""
        path = self.directory / f"kubeconfig-{token}-{namespace}"
        path.write_text(kubeconfig_text(self.url, self.ca_file, token, namespace))
        return path


def kubeconfig_text(url: str, ca_file: Path, token: str, namespace: str) -> str:
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": url, "certificate-authority": str(ca_file)}}],
        "users": [{"name": "u", "user": {"token": token}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u", "namespace": namespace}}],
        "current-context": "x",
    }
    return yaml.safe_dump(document)


def require_binaries() -> Path:
    """Return the directory of the binaries. Without them, skip the test with a message, or fail it in CI."""
    place = binaries()
    if place is not None:
        return place
    message = "kube-apiserver and etcd are missing: run make tools, which builds them with Go"
    if os.environ.get("CI") == "true":
        pytest.fail(message)
    pytest.skip(message)


@contextmanager
def control_plane() -> Iterator[ControlPlane]:
    with loopback_network() as network:
        yield from _control_plane(network)


def _control_plane(network: str) -> Iterator[ControlPlane]:
    place = require_binaries()
    memory = Path("/dev/shm")
    directory = Path(tempfile.mkdtemp(prefix="swapper-kube-", dir=memory if memory.is_dir() else None))
    try:
        authority = Authority(directory, of_clusters=True)
        authority.issue(directory / "api.pem", directory / "api.key")
        (directory / "tokens.csv").write_text(f'{ADMIN},admin,1,"system:masters"\n{OTHER},{ACCOUNT},2\n')
        client, peer = free_port(), free_port()
        with running_program([str(place / "etcd"), *_etcd(directory, client, peer)], directory / "etcd.log") as etcd:
            wait_until(lambda: _is_healthy(client, etcd), timeout=60, what="etcd")
            port = free_port()
            arguments = _apiserver(directory, port, client, network)
            server = Program([str(place / "kube-apiserver"), *arguments], directory / "apiserver.log")
            url, etcd_url = f"https://127.0.0.1:{port}", f"http://127.0.0.1:{client}"
            plane = ControlPlane(url, authority.file, directory, network, etcd_url, server)
            server.start()
            try:
                wait_until(lambda: _is_ready(plane), timeout=90, what="the API server")
                yield plane
            finally:
                server.stop()
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _etcd(directory: Path, client: int, peer: int) -> list[str]:
    return [
        f"--data-dir={directory}/etcd",
        f"--listen-client-urls=http://127.0.0.1:{client}",
        f"--advertise-client-urls=http://127.0.0.1:{client}",
        f"--listen-peer-urls=http://127.0.0.1:{peer}",
        f"--initial-advertise-peer-urls=http://127.0.0.1:{peer}",
        f"--initial-cluster=default=http://127.0.0.1:{peer}",
        "--unsafe-no-fsync",
        "--log-level=error",
    ]


def _apiserver(directory: Path, port: int, etcd: int, network: str) -> list[str]:
    return [
        f"--etcd-servers=http://127.0.0.1:{etcd}",
        "--bind-address=127.0.0.1",
        f"--secure-port={port}",
        f"--tls-cert-file={directory}/api.pem",
        f"--tls-private-key-file={directory}/api.key",
        f"--cert-dir={directory}",
        f"--token-auth-file={directory}/tokens.csv",
        "--authorization-mode=RBAC",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={directory}/api.pem",
        f"--service-account-signing-key-file={directory}/api.key",
        f"--service-cluster-ip-range={network}.0.0/20",
        "--disable-admission-plugins=TaintNodesByCondition",
        "--allow-privileged=true",
    ]


@dataclass
class Program:
    """A local process that is killed when the test runner exits, even if the test runner crashes."""

    command: list[str]
    log: Path
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as file:
            self.process = subprocess.Popen(
                self.command, stdout=file, stderr=file, preexec_fn=partial(die_with_parent(signal.SIGKILL), os.getpid())
            )

    def stop(self) -> None:
        if self.process is not None:
            end(self.process, patience=10)


@contextmanager
def running_program(command: list[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    program = Program(command, log)
    program.start()
    assert program.process is not None
    try:
        yield program.process
    finally:
        program.stop()


def _is_healthy(port: int, process: subprocess.Popen[bytes]) -> bool:
    assert process.poll() is None, "etcd exited immediately after its start"
    try:
        return urllib3.request("GET", f"http://127.0.0.1:{port}/health", retries=False, timeout=2).status == 200
    except urllib3.exceptions.HTTPError:
        return False


def _is_ready(plane: ControlPlane) -> bool:
    process = plane.server.process
    assert process is not None and process.poll() is None, (plane.directory / "apiserver.log").read_text()[-3000:]
    pool = urllib3.PoolManager(ssl_context=ssl.create_default_context(cafile=str(plane.ca_file)))
    headers = {"Authorization": f"Bearer {ADMIN}"}
    try:
        return pool.request("GET", f"{plane.url}/readyz", headers=headers, retries=False, timeout=2).status == 200
    except urllib3.exceptions.HTTPError:
        return False
