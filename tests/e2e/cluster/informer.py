"""All objects of a kind, updated by a watch, because listing thousands of pods repeatedly takes most of a CPU."""

from __future__ import annotations

import json
import threading
from typing import Any

import urllib3

from tests.e2e.cluster.api import Api

RETRY_AFTER = 0.2
"""Seconds until the next try if the API server does not respond, such as while it is stopped."""


class Informer(threading.Thread):
    """Lists the objects at ``path``, and keeps them up to date until it is stopped."""

    def __init__(self, api: Api, path: str) -> None:
        super().__init__(name=f"informer-{path}", daemon=True)
        self._api = api
        self._path = path
        self._lock = threading.Lock()
        self._objects: dict[str, Any] = {}
        self._stopping = threading.Event()

    def objects(self) -> list[Any]:
        """Return the objects as the API server had them a few milliseconds ago."""
        with self._lock:
            return list(self._objects.values())

    def stop(self) -> None:
        """Request the stop. The thread ends with its next event, or with the process."""
        self._stopping.set()

    def run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._follow(self._list())
            except (urllib3.exceptions.HTTPError, AssertionError):
                self._stopping.wait(RETRY_AFTER)

    def _list(self) -> str:
        """List the objects. Return the version of the list, from which a watch reports the changes."""
        found = self._api.get(self._path)
        with self._lock:
            self._objects = {item["metadata"]["uid"]: item for item in found["items"]}
        return str(found["metadata"]["resourceVersion"])

    def _follow(self, version: str) -> None:
        """Apply changes until the API server ends the watch, or no longer has the version."""
        for line in self._api.lines(f"{self._path}?watch=1&resourceVersion={version}"):
            event = json.loads(line)
            if self._stopping.is_set() or event["type"] == "ERROR":
                return
            self._take(event["type"], event["object"])

    def _take(self, kind: str, item: Any) -> None:
        uid = item["metadata"]["uid"]
        with self._lock:
            if kind == "DELETED":
                self._objects.pop(uid, None)
            else:
                self._objects[uid] = item
