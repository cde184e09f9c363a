"""Read an image back from a registry by plain HTTP, independently of how it was written."""

from __future__ import annotations

import hashlib
import json
from typing import Any, Final

import urllib3

ACCEPT: Final = ", ".join(
    (
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.docker.distribution.manifest.v2+json",
        "*/*",
    )
)


def read_back(host: str, repository: str, reference: str) -> dict[str, bytes]:
    """Return all content below a tag by digest, each verified. Content that the registry does not have is omitted."""
    found: dict[str, bytes] = {}
    with urllib3.PoolManager(retries=False, timeout=20) as pool:
        base = f"http://{host}/v2/{repository}"
        response = pool.request("GET", f"{base}/manifests/{reference}", headers={"Accept": ACCEPT})
        assert response.status == 200, response.data
        algorithm = response.headers["Docker-Content-Digest"].partition(":")[0]
        waiting = [(f"{algorithm}:{hashlib.new(algorithm, response.data).hexdigest()}", "manifests")]
        while waiting:
            digest, kind = waiting.pop()
            raw = _get(pool, f"{base}/{kind}/{digest}")
            raw = _get(pool, f"{base}/blobs/{digest}") if raw is None else raw
            if raw is None or digest in found:
                continue
            assert hashlib.new(digest.partition(":")[0], raw).hexdigest() == digest.partition(":")[2]
            found[digest] = raw
            waiting += _below(raw) if kind == "manifests" else []
    return found


def _get(pool: urllib3.PoolManager, url: str) -> bytes | None:
    response = pool.request("GET", url, headers={"Accept": ACCEPT})
    return response.data if response.status == 200 else None


def _below(raw: bytes) -> list[tuple[str, str]]:
    try:
        document: dict[str, Any] = json.loads(raw)
    except ValueError:
        return []
    blobs = [*document.get("layers", []), *document.get("blobs", []), *filter(None, [document.get("config")])]
    children = [(entry["digest"], "manifests") for entry in document.get("manifests", [])]
    return [*children, *((entry["digest"], "blobs") for entry in blobs)]
