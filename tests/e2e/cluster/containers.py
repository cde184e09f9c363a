"""A container as a process of this machine, with the container's command, environment and files."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

import yaml

from swapper_project.process.parent_death import die_with_parent
from tests.e2e.cluster import databases
from tests.e2e.cluster.api import Api, decoded
from tests.e2e.cluster.volumes import MissingError, Volumes
from tests.support.databases import ROOT
from tests.support.forked import Forked
from tests.support.postgres import OPTIONS, postgres_bin

OWN_IMAGE = "k8s-image-swapper"

Running = subprocess.Popen[bytes] | Forked
"""The process of a running container."""


def is_own(image: str) -> bool:
    """Return whether this is the project's image, with any tag."""
    return OWN_IMAGE in image


def is_program(container: Any) -> bool:
    """Return whether the command is an inline script (``-c``), which finds its files and resolves names itself."""
    return bool((container.get("command") or [])[1:2] == ["-c"])


def looks_names_up(container: Any) -> bool:
    """Return whether the container connects to a Service whose name is in none of its arguments."""
    return is_program(container) or (container.get("args") or [])[:1] == ["activate_webhook"]


class Environment:
    """The environment of a container, with addresses and paths of this machine instead of those of the cluster."""

    def __init__(self, api: Api, pod: Any, address: str, hosts: Mapping[str, str]) -> None:
        self._api = api
        self._pod = pod
        self._address = address
        self._hosts = hosts
        """Cluster IPs by the names of their Services."""

    def of(self, container: Any, volumes: Volumes) -> dict[str, str]:
        """Return the container's environment variables. Raises MissingError if an object or key does not exist."""
        values: dict[str, str] = {}
        for source in container.get("envFrom") or []:
            values |= self._all_of(source)
        for entry in container.get("env") or []:
            value = entry["value"] if "value" in entry else self._value_from(entry.get("valueFrom"))
            if value is not None:
                values[entry["name"]] = re.sub(r"\$\((\w+)\)", lambda m: values.get(m[1], m[0]), value)
        places = volumes.places(container)
        return {name: self.here(value, places) for name, value in values.items()}

    def here(self, value: str, places: Mapping[str, Path]) -> str:
        """Replace mount paths, names of Services and listening on all addresses with this machine's equivalents."""
        paths = "|".join(re.escape(path) for path in places)
        if paths:
            # Replace all in one pass, because the directories on this machine are below /tmp, which most pods mount.
            value = re.sub(rf"(?<![\w/.-])({paths})(?=/|$|[\s:'\",])", lambda match: str(places[match[1]]), value)
        for name in sorted(self._hosts, key=len, reverse=True):
            value = re.sub(rf"(?<=[@/])({re.escape(name)})(?=[:/]|$)", self._hosts[name], value)
        return re.sub(r"^(--[\w-]+=)?(?=:\d+$)", rf"\g<0>{self._address}", value)

    def _all_of(self, source: Any) -> dict[str, str]:
        if "secretRef" in source:
            data = decoded(self._object("secrets", source["secretRef"]["name"]))
            return {key: value.decode() for key, value in data.items()}
        return dict(self._object("configmaps", source["configMapRef"]["name"]).get("data") or {})

    def _value_from(self, source: Any) -> str | None:
        if "secretKeyRef" in source:
            ref = source["secretKeyRef"]
            data = decoded(self._object("secrets", ref["name"], optional=ref.get("optional", False)))
            if ref["key"] in data:
                return data[ref["key"]].decode()
            if ref.get("optional"):
                return None
            raise MissingError(f"secret {ref['name']} has no key {ref['key']}")
        if "configMapKeyRef" in source:
            ref = source["configMapKeyRef"]
            return str((self._object("configmaps", ref["name"]).get("data") or {})[ref["key"]])
        path = source["fieldRef"]["fieldPath"]
        fields: dict[str, str] = {
            "metadata.name": self._pod["metadata"]["name"],
            "metadata.namespace": self._pod["metadata"]["namespace"],
            "status.podIP": self._address,
            "spec.nodeName": "node",
        }
        return fields[path]

    def _object(self, kind: str, name: str, *, optional: bool = False) -> Any:
        found = self._api.get(f"/api/v1/namespaces/{self._pod['metadata']['namespace']}/{kind}/{name}")
        if found is None and not optional:
            raise MissingError(f"{kind}/{name} does not exist")
        return found or {}


def stop_signal(container: Any) -> signal.Signals:
    """Return the stop signal of the container's image. With SIGINT, Postgres does not wait for its clients."""
    return signal.SIGTERM if is_own(container["image"]) else signal.SIGINT


def start(
    container: Any,
    environment: Mapping[str, str],
    arguments: list[str],
    log: Path,
    address: str,
    kubeconfig: Path | None,
) -> Running:
    """Start a container of the project's image or of Postgres."""
    if is_own(container["image"]):
        return _own(container, environment, arguments, log, kubeconfig)
    return _postgres(environment, log, address)


def _own(
    container: Any, environment: Mapping[str, str], arguments: list[str], log: Path, kubeconfig: Path | None
) -> Running:
    command = [*container["command"], *arguments] if "command" in container else ["python", "manage.py", *arguments]
    if command[0] in ("python", "python3"):
        command[0] = sys.executable
    # Nothing of the test's own environment: every variable that a process needs must be in the manifest.
    base = {
        "PATH": os.environ["PATH"],
        "DJANGO_SETTINGS_MODULE": "swapper_project.settings",
        **({"KUBECONFIG": str(kubeconfig)} if kubeconfig else {}),
        **{name: value for name, value in os.environ.items() if name.startswith("COVERAGE")},
    }
    if kubeconfig is not None and looks_names_up(container):
        command = [*_inside(kubeconfig.parent), *command]
        base |= dict(zip(("KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT"), _api_server(kubeconfig), strict=True))
    with log.open("ab") as file, open(os.devnull) as nothing:
        if command[0] == sys.executable and not is_program(container):
            files: list[IO[str] | IO[bytes]] = [nothing, file, file]
            return Forked(command[1:], {**base, **environment}, files, leads_group=True, ends_with_us=True)
        return subprocess.Popen(
            command,
            cwd=ROOT,
            env={**base, **environment},
            stdout=file,
            stderr=file,
            start_new_session=True,
            preexec_fn=_ends_with_us(),
        )


def _ends_with_us() -> Callable[[], None]:
    """Return a ``preexec_fn`` that has the container killed when the test runner ends, however it ends."""
    return partial(die_with_parent(signal.SIGKILL), os.getpid())


def _inside(directory: Path) -> list[str]:
    """Return a command prefix that mounts the service account and ``/etc/hosts`` in a separate mount namespace."""
    account = "/run/secrets/kubernetes.io/serviceaccount"
    mounts = (
        f"mount -t tmpfs none /run && mkdir -p {account} && mount --bind {directory}/account {account} && "
        f'mount --bind {directory}/hosts /etc/hosts && exec "$@"'
    )
    return ["unshare", "--mount", "sh", "-c", mounts, "sh"]


def _api_server(kubeconfig: Path) -> tuple[str, str]:
    url = urlsplit(yaml.safe_load(kubeconfig.read_text())["clusters"][0]["cluster"]["server"])
    return str(url.hostname), str(url.port)


def _postgres(environment: Mapping[str, str], log: Path, address: str) -> subprocess.Popen[bytes]:
    """Start Debian's Postgres as the official image does: user, password and database are from the environment."""
    place = Path(tempfile.mkdtemp(prefix="swapper-pod-postgres-"))
    # A direct child, not started by a program that changes the user: only a direct child ends with the test runner.
    account: dict[str, Any] = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}
    if account:
        shutil.chown(place, "postgres")
    databases.fill(place, environment, account)
    options = [f"listen_addresses={address}", "port=5432", f"unix_socket_directories={place}", *OPTIONS]
    server = [str(postgres_bin() / "postgres"), "-D", str(place / "data")]
    with log.open("ab") as file:
        return subprocess.Popen(
            [*server, *(part for option in options for part in ("-c", option))],
            stdout=file,
            stderr=file,
            cwd=place,
            start_new_session=True,
            preexec_fn=_ends_with_us(),
            **account,
        )
