"""One pod from its start to its deletion, managed as a kubelet does it."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import urllib3

from tests.e2e.cluster.api import STRATEGIC, Api
from tests.e2e.cluster.containers import Environment, Running, is_program, start, stop_signal
from tests.e2e.cluster.volumes import MissingError, Volumes
from tests.support.controlplane import kubeconfig_text

PROBE = urllib3.PoolManager(cert_reqs="CERT_NONE", retries=False, timeout=3)
REFRESH_EVERY = 1.0
"""Seconds between two checks for changed Secrets and ConfigMaps. A kubelet takes up to 90 seconds."""

PROBE_EVERY = 0.5
"""Seconds between two probes of a pod that is ready. A pod that is not ready is probed in every turn, so that no test
waits for the probe."""

RESTART_AFTER = 0.5


class RunningPod(threading.Thread):
    """A thread that runs the containers of a pod as processes. ``address`` is the pod's IP on the loopback network."""

    def __init__(self, api: Api, pod: Any, address: str, hosts: Mapping[str, str], logs: Path) -> None:
        super().__init__(name=f"pod-{pod['metadata']['name']}", daemon=True)
        self.pod = pod
        self.namespace, self.name = pod["metadata"]["namespace"], pod["metadata"]["name"]
        self.address = address
        self.labels: dict[str, str] = pod["metadata"].get("labels") or {}
        self.is_in_services = True
        self._passes_probes = False
        self.log = logs / f"{self.namespace}.{self.name}.log"
        self._api = api
        self._path = f"/api/v1/namespaces/{self.namespace}/pods/{self.name}"
        self._directory = Path(tempfile.mkdtemp(prefix="swapper-pod-"))
        self._volumes = Volumes(api, pod, self._directory)
        self._hosts = hosts
        self._environment = Environment(api, pod, address, hosts)
        self._ending = threading.Event()
        self.processes: list[Running] = []
        self.waits_for = ""
        """The reason why no container has started yet."""

    @property
    def is_ready(self) -> bool:
        """Whether Services send to this pod. They do not while it is being deleted, even if its last probe succeeds."""
        return self._passes_probes and self.is_in_services and not self._ending.is_set()

    def run(self) -> None:
        try:
            self._await_volumes()
            kubeconfig = self._kubeconfig()
            for container in self.pod["spec"].get("initContainers") or []:
                self._complete(container, kubeconfig)
            if self.pod["spec"].get("restartPolicy", "Always") == "Always":
                self._serve(kubeconfig)
            else:
                for container in self.pod["spec"]["containers"]:
                    self._complete(container, kubeconfig)
                self._report("Succeeded", is_ready=False)
        except _EndedError:
            pass
        except _FailedError:
            self._report("Failed", is_ready=False)

    def end(self) -> None:
        """Stop the pod as a kubelet does: preStop, SIGTERM, and SIGKILL after the grace period. Then delete the pod."""
        self._ending.set()
        grace = min(30.0, float(self.pod["spec"].get("terminationGracePeriodSeconds", 30)))
        time.sleep(min(1.0, grace))  # A short preStop: Services stop sending to the pod before it stops.
        self.join(20)  # The thread starts no further process after this.
        wanted = stop_signal(self.pod["spec"]["containers"][0])
        for process in self.processes:
            if process.poll() is None:
                process.send_signal(wanted)
        for process in self.processes:
            try:
                process.wait(grace)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        shutil.rmtree(self._directory, ignore_errors=True)
        self._api.call("DELETE", self._path, {"gracePeriodSeconds": 0})

    def kill(self) -> None:
        """Send SIGKILL to all processes of the pod, which are then started again."""
        for process in self.processes:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)

    def abandon(self) -> None:
        """Kill the pod and stop managing it, because its cluster is being stopped."""
        self._ending.set()
        self.join(10)
        self.kill()

    def _await_volumes(self) -> None:
        while True:
            try:
                self._volumes.mount()
                return
            except MissingError as error:
                self.waits_for = str(error)
                self._pause(0.2)

    def _pause(self, seconds: float) -> None:
        if self._ending.wait(seconds):
            raise _EndedError

    def _start(self, container: Any, kubeconfig: Path | None) -> Running:
        while True:
            try:
                environment = self._environment.of(container, self._volumes)
                break
            except MissingError as error:
                self.waits_for = str(error)
                self._pause(0.2)
        places = self._volumes.places(container)
        arguments = container.get("args") or []
        if not is_program(container):
            arguments = [self._environment.here(argument, places) for argument in arguments]
        process = start(container, environment, arguments, self.log, self.address, kubeconfig)
        self.processes.append(process)
        return process

    def _complete(self, container: Any, kubeconfig: Path | None) -> None:
        """Run a container until it succeeds. A failed container runs again, unless the restart policy is ``Never``."""
        while True:
            process = self._start(container, kubeconfig)
            while process.poll() is None:
                self._pause(0.05)
            if process.returncode == 0:
                return
            if self.pod["spec"].get("restartPolicy") == "Never":
                raise _FailedError
            self._pause(RESTART_AFTER)
            self._refresh()

    def _serve(self, kubeconfig: Path | None) -> None:
        containers = self.pod["spec"]["containers"]
        running = [self._start(container, kubeconfig) for container in containers]
        self._report("Running", is_ready=False)
        refreshed, probed = time.monotonic(), 0.0
        while True:
            self._pause(0.1)
            for number, process in enumerate(running):
                if process.poll() is not None:
                    self._pause(RESTART_AFTER)
                    running[number] = self._start(containers[number], kubeconfig)
                    probed = 0.0
            if time.monotonic() - refreshed > REFRESH_EVERY:
                refreshed = time.monotonic()
                self._refresh()
            if self._passes_probes and time.monotonic() - probed < PROBE_EVERY:
                continue
            probed = time.monotonic()
            is_ready = all(self._is_ready(container) for container in containers)
            if is_ready != self._passes_probes:
                self._report("Running", is_ready=is_ready)
                self._passes_probes = is_ready

    def _refresh(self) -> None:
        try:
            self._volumes.refresh()
        except MissingError as error:
            self.waits_for = str(error)

    def _is_ready(self, container: Any) -> bool:
        probe = container.get("readinessProbe") or {}
        if "httpGet" not in probe:
            return _accepts(self.address, container["ports"][0]["containerPort"])
        get = probe["httpGet"]
        ports = {port.get("name"): port["containerPort"] for port in container["ports"]}
        url = f"{get.get('scheme', 'HTTP').lower()}://{self.address}:{ports.get(get['port'], get['port'])}{get['path']}"
        try:
            # Close the connection as a kubelet does: a pod that ends does not wait for a connection that is kept open.
            return PROBE.request("GET", url, headers={"Connection": "close"}).status == 200
        except urllib3.exceptions.HTTPError:
            return False

    def _kubeconfig(self) -> Path | None:
        """Write a kubeconfig with a token of the pod's service account. Return None if the pod mounts no token."""
        spec = self.pod["spec"]
        if spec.get("automountServiceAccountToken") is False:
            return None
        account = spec.get("serviceAccountName", "default")
        path = f"/api/v1/namespaces/{self.namespace}/serviceaccounts/{account}/token"
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 3600}}
        token = self._api.create(path, body)["status"]["token"]
        place = self._directory / "account"
        place.mkdir()
        for name, content in (("token", token), ("namespace", self.namespace), ("ca.crt", self._api.ca)):
            (place / name).write_text(content)
        file = self._directory / "kubeconfig"
        file.write_text(kubeconfig_text(self._api.url, place / "ca.crt", token, self.namespace))
        hosts = "".join(f"{address} {name}\n" for name, address in self._hosts.items())
        (self._directory / "hosts").write_text(f"127.0.0.1 localhost\n{hosts}")
        return file

    def _report(self, phase: str, *, is_ready: bool) -> None:
        report(self._api, self.pod, phase, is_ready=is_ready, address=self.address)


class _EndedError(Exception):
    """The pod is being deleted."""


class _FailedError(Exception):
    """A container of a pod with restart policy ``Never`` has failed."""


def _accepts(address: str, port: int) -> bool:
    try:
        socket.create_connection((address, port), timeout=3).close()
    except OSError:
        return False
    return True


def report(api: Api, pod: Any, phase: str, *, is_ready: bool, address: str) -> None:
    """Write the status of a pod as the kubelet does. The pod may have been deleted in the meantime."""
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    ready = "True" if is_ready else "False"
    result = phase in ("Succeeded", "Failed")
    state = (
        {"terminated": {"exitCode": 0 if phase == "Succeeded" else 1, "startedAt": now, "finishedAt": now}}
        if result
        else {"running": {"startedAt": now}}
    )
    containers = [
        {
            "name": container["name"],
            "ready": is_ready,
            "started": not result,
            "restartCount": 0,
            "image": container["image"],
            "imageID": container["image"],
            "state": state,
        }
        for container in pod["spec"]["containers"]
    ]
    kinds = {"PodScheduled": "True", "Initialized": "True", "ContainersReady": ready, "Ready": ready}
    status = {
        "phase": phase,
        "podIP": address,
        "podIPs": [{"ip": address}],
        "hostIP": "127.0.0.1",
        "startTime": now,
        "conditions": [{"type": kind, "status": value, "lastTransitionTime": now} for kind, value in kinds.items()],
        "containerStatuses": containers,
    }
    path = f"/api/v1/namespaces/{pod['metadata']['namespace']}/pods/{pod['metadata']['name']}/status"
    api.call("PATCH", path, {"status": status}, content_type=STRATEGIC)
