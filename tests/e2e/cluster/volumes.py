"""A pod's volumes as directories. Secrets and ConfigMaps are projected and updated as a kubelet does it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.e2e.cluster.api import Api, decoded


class MissingError(Exception):
    """A Secret, a ConfigMap or one of its keys does not exist yet. A kubelet waits for it."""


class Volumes:
    """The volumes of a pod, each as one directory below ``directory``."""

    def __init__(self, api: Api, pod: Any, directory: Path) -> None:
        self._api = api
        self._namespace = pod["metadata"]["namespace"]
        self._volumes: list[Any] = pod["spec"].get("volumes") or []
        self._directory = directory
        self._written: dict[str, dict[str, bytes]] = {}

    def mount(self) -> None:
        """Create all volumes. Raises MissingError."""
        for volume in self._volumes:
            place = self._directory / volume["name"]
            place.mkdir(parents=True, exist_ok=True)
        self.refresh()

    def refresh(self) -> None:
        """Project changed Secrets and ConfigMaps. Raises MissingError."""
        for volume in self._volumes:
            files = self._files(volume)
            if files is not None and files != self._written.get(volume["name"]):
                _project(self._directory / volume["name"], files)
                self._written[volume["name"]] = files

    def places(self, container: Any) -> dict[str, Path]:
        """Return the directory or file on this machine for each path in the container, the longest paths first."""
        mounts = container.get("volumeMounts") or []
        found = {m["mountPath"]: self._directory / m["name"] / m.get("subPath", "") for m in mounts}
        return dict(sorted(found.items(), key=lambda item: -len(item[0])))

    def _files(self, volume: Any) -> dict[str, bytes] | None:
        """Return the files of a Secret or ConfigMap, or None for other volumes."""
        if "secret" in volume:
            given = volume["secret"]
            data = decoded(self._object("secrets", given["secretName"], given.get("optional", False)))
        elif "configMap" in volume:
            given = volume["configMap"]
            found = self._object("configmaps", given["name"], given.get("optional", False))
            data = {key: value.encode() for key, value in (found.get("data") or {}).items()}
        else:
            return None
        if "items" not in given:
            return data
        missing = [item["key"] for item in given["items"] if item["key"] not in data]
        if missing:
            raise MissingError(f"{volume['name']} has no key {missing[0]}")
        return {item["path"]: data[item["key"]] for item in given["items"]}

    def _object(self, kind: str, name: str, optional: bool) -> Any:
        found = self._api.get(f"/api/v1/namespaces/{self._namespace}/{kind}/{name}")
        if found is None and not optional:
            raise MissingError(f"{kind}/{name} does not exist")
        return found or {}


def _project(directory: Path, files: Mapping[str, bytes]) -> None:
    """Replace all files in one step: they are links through ``..data``, which is replaced atomically."""
    number = sum(1 for _ in directory.glob("..v*"))
    version = directory / f"..v{number}"
    version.mkdir()
    for name, content in files.items():
        file = version / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    link = directory / "..data.new"
    link.unlink(missing_ok=True)
    os.symlink(version.name, link)
    link.replace(directory / "..data")
    for name in files:
        top = directory / Path(name).parts[0]
        if not top.is_symlink():
            os.symlink(f"..data/{Path(name).parts[0]}", top)
