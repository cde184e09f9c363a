"""An API client that returns the status of each response, and reuses its connections."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import urllib3

from tests.support.controlplane import ADMIN, ControlPlane

MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
APPLY = "application/apply-patch+yaml"


class Api:
    """Sends requests as a cluster administrator, or with another token. Thread-safe."""

    def __init__(self, plane: ControlPlane, token: str = ADMIN) -> None:
        self.url = plane.url
        self.ca = plane.ca_file.read_text()
        self._pool = urllib3.PoolManager(ca_certs=str(plane.ca_file), maxsize=32, retries=False, timeout=30)
        self._headers = {"Authorization": f"Bearer {token}"}

    def call(self, method: str, path: str, body: Any = None, *, content_type: str = "") -> tuple[int, Any]:
        """Return the status and the body of the response."""
        headers = {**self._headers, "Content-Type": content_type or "application/json"}
        data = json.dumps(body).encode() if body is not None else None
        response = self._pool.request(method, f"{self.url}{path}", body=data, headers=headers)
        text = response.data.decode()
        return response.status, json.loads(text) if text.startswith("{") else text

    def lines(self, path: str) -> Iterator[bytes]:
        """Yield the lines of a response as they arrive, such as the events of a watch, until the response ends."""
        forever = urllib3.Timeout(connect=30, read=None)
        response = self._pool.request(
            "GET", f"{self.url}{path}", headers=self._headers, preload_content=False, timeout=forever
        )
        assert response.status == 200, response.data
        try:
            rest = b""
            for part in response.stream():
                *lines, rest = (rest + part).split(b"\n")
                yield from lines
        finally:
            response.close()

    def get(self, path: str) -> Any:
        """Return the object, or None if it does not exist."""
        status, found = self.call("GET", path)
        if status == 404:
            return None
        assert status == 200, found
        return found

    def create(self, path: str, body: Any) -> Any:
        status, made = self.call("POST", path, body)
        assert status in (200, 201), made
        return made

    def patch(self, path: str, body: Any, content_type: str = MERGE) -> Any:
        status, changed = self.call("PATCH", path, body, content_type=content_type)
        assert status == 200, changed
        return changed

    def delete(self, path: str) -> None:
        status, response = self.call("DELETE", path)
        assert status in (200, 202, 404), response


def decoded(secret: Any) -> dict[str, bytes]:
    return {key: base64.b64decode(value) for key, value in (secret.get("data") or {}).items()}
