"""The cluster, which consists of API server, controller manager and node, and the operations that tests run on it."""

from __future__ import annotations

import json
import subprocess
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.e2e.cluster.api import Api
from tests.e2e.cluster.node import NODE, Node
from tests.support.controlplane import ADMIN, ControlPlane, control_plane, require_binaries, running_program
from tests.support.databases import ROOT
from tests.support.go_tools import require
from tests.support.ports import free_port, wait_until

CHART = ROOT / "charts/k8s-image-swapper"


@dataclass(frozen=True)
class Cluster:
    plane: ControlPlane
    api: Api
    node: Node
    directory: Path

    def namespace(self, prefix: str) -> str:
        """Create a namespace, wait for its default service account, and return its name."""
        name = f"{prefix}-{uuid.uuid4().hex[:6]}"
        self.api.create("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        account = f"/api/v1/namespaces/{name}/serviceaccounts/default"
        wait_until(lambda: self.api.get(account), what="the default service account")
        return name

    def kubectl(self, *arguments: str, stdin: Any = None, check: bool = True) -> str:
        """Run kubectl with the manifest ``stdin``, and return its output."""
        command = ["kubectl", "--kubeconfig", str(self.plane.kubeconfig(ADMIN)), *arguments]
        text = json.dumps(stdin) if stdin is not None else None
        result = subprocess.run(command, input=text, capture_output=True, text=True, timeout=120, check=False)
        assert not check or result.returncode == 0, result.stderr
        return result.stdout + result.stderr

    def helm(self, *arguments: str, check: bool = True) -> str:
        command = [require("helm"), "--kubeconfig", str(self.plane.kubeconfig(ADMIN)), *arguments]
        result = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
        assert not check or result.returncode == 0, result.stdout + result.stderr
        return result.stdout + result.stderr

    def logs(self, name: str = "") -> str:
        """Return the last part of the logs of pods whose names start with ``name``, for a failed assertion."""
        files = sorted((self.directory / "logs").glob(f"{name}*.log"))
        return "\n".join(f"== {file.name}\n{file.read_text()[-4000:]}" for file in files)


@contextmanager
def running_cluster(directory: Path) -> Iterator[Cluster]:
    (directory / "logs").mkdir(parents=True, exist_ok=True)
    with control_plane() as plane, controllers(plane):
        api = Api(plane)
        body = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": NODE}}
        api.create("/api/v1/nodes", body)
        node = Node(api, plane.network, directory / "logs")
        node.start()
        try:
            yield Cluster(plane, api, node, directory)
        finally:
            node.stop()


@contextmanager
def controllers(plane: ControlPlane) -> Iterator[None]:
    """Run the controller manager without the controllers for nodes and clouds."""
    place = require_binaries()
    without: Sequence[str] = ("node-lifecycle-controller", "node-ipam-controller", "taint-eviction-controller")
    arguments = [
        f"--kubeconfig={plane.kubeconfig(ADMIN)}",
        f"--authentication-kubeconfig={plane.kubeconfig(ADMIN)}",
        f"--authorization-kubeconfig={plane.kubeconfig(ADMIN)}",
        "--leader-elect=false",
        f"--secure-port={free_port()}",
        f"--cert-dir={plane.directory}",
        f"--root-ca-file={plane.ca_file}",
        f"--service-account-private-key-file={plane.directory}/api.key",
        "--controllers=" + ",".join(("*", *(f"-{name}" for name in without))),
        "--concurrent-deployment-syncs=10",
        "--kube-api-qps=200",
        "--kube-api-burst=400",
    ]
    with running_program([str(place / "kube-controller-manager"), *arguments], plane.directory / "controllers.log"):
        yield
