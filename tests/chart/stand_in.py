"""A stand-in for the kubelet: runs the containers of a rendered pod as processes of this machine.

Secrets and ConfigMaps are read from the API server and put where the container mounts them; a path in an argument or
a variable is that place. The service account's token is a real one, so that its rights are those of the chart's roles.
"""

from __future__ import annotations

import base64
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.controlplane import ControlPlane, kubeconfig_text
from tests.support.databases import ROOT
from tests.support.helm import Object
from tests.support.ports import free_port
from tests.support.system import Process


@dataclass
class Kubelet:
    plane: ControlPlane
    namespace: str
    directory: Path
    ports: dict[int, int] = field(default_factory=dict)
    """Ports of this machine by those of containers."""

    def process(self, pod: Object, container: Object) -> Process:
        """A container, not started yet."""
        place = self.directory / container["name"]
        self._mount(pod, container, place)
        arguments = [self._here(text, place) for text in container["args"]]
        environment = {entry["name"]: self._here(self._value(entry), place) for entry in container.get("env", [])}
        account = pod["spec"].get("serviceAccountName") if pod["spec"]["automountServiceAccountToken"] else None
        if account:
            environment["KUBECONFIG"] = str(self._kubeconfig(account, place))
        # Nothing of the tests' own environment: a pod has no HOME that can be written, and no settings of ours.
        return Process(
            [sys.executable, str(ROOT / "manage.py"), *arguments],
            {"HOME": "/nonexistent", **environment},
            place / "log",
        )

    def port(self, number: int) -> int:
        return self.ports.setdefault(number, free_port())

    def token(self, account: str) -> str:
        path = f"/api/v1/namespaces/{self.namespace}/serviceaccounts/{account}/token"
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
        token: str = self.plane.request("POST", path, body)["status"]["token"]
        return token

    def secret(self, name: str) -> dict[str, str]:
        found = self.plane.request("GET", f"/api/v1/namespaces/{self.namespace}/secrets/{name}")
        return {key: base64.b64decode(value).decode() for key, value in found["data"].items()}

    def _value(self, entry: Object) -> str:
        if "value" in entry:
            return str(entry["value"])
        reference = entry["valueFrom"]["secretKeyRef"]
        return self.secret(reference["name"])[reference["key"]]

    def _here(self, text: str, place: Path) -> str:
        text = re.sub(r"(^|=)/(config|data|tls|tmp)(?=/|$)", rf"\1{place}/\2", text)
        return re.sub(r"(^|=):(8000|8001)$", lambda match: f"{match[1]}:{self.port(int(match[2]))}", text)

    def _mount(self, pod: Object, container: Object, place: Path) -> None:
        volumes = {volume["name"]: volume for volume in pod["spec"]["volumes"]}
        for mount in container["volumeMounts"]:
            folder = place / mount["mountPath"].strip("/")
            folder.mkdir(parents=True, exist_ok=True)
            for name, text in self._files(volumes[mount["name"]]).items():
                (folder / name).write_text(text)

    def _files(self, volume: Object) -> dict[str, str]:
        if "configMap" in volume:
            path = f"/api/v1/namespaces/{self.namespace}/configmaps/{volume['configMap']['name']}"
            data: dict[str, str] = self.plane.request("GET", path)["data"]
            return data
        if "secret" in volume:
            values = self.secret(volume["secret"]["secretName"])
            items = volume["secret"].get("items") or [{"key": key, "path": key} for key in values]
            return {item["path"]: values[item["key"]] for item in items}
        return {}

    def _kubeconfig(self, account: str, place: Path) -> Path:
        path = place / "kubeconfig"
        path.write_text(kubeconfig_text(self.plane.url, self.plane.ca_file, self.token(account), self.namespace))
        return path
