"""Lists referrers at registries that do not do so themselves: an index under the tag `sha256-<hex>` of the subject."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from typing import Any, Final

from mirrors.oci.common import manifests
from mirrors.oci.common.errors import RegistryError
from mirrors.oci.common.manifests import OCI_INDEX, Manifest
from mirrors.oci.common.settings import MAX_MANIFEST_BYTES
from mirrors.oci.http.client import RegistryClient
from mirrors.oci.referrers.kinds import Referrer, fallback_tag

LOCKS: Final = 64
"""Subjects share them by their hash; many more than there are copies at the same time."""

WRITES: Final = 3
"""How often what another process has overwritten is written again."""


class FallbackIndexes:
    """One writer at a time for each subject in this process. Others may write at the same time: what is written is
    read back, and added again where it got lost."""

    def __init__(self) -> None:
        self._locks = [threading.Lock() for _ in range(LOCKS)]

    def add(self, client: RegistryClient, repository: str, subject: str, referrers: Sequence[Referrer]) -> None:
        """What the index has already stays as it is. Raises RegistryError."""
        host = client.access.host
        lock = self._locks[hash((host, repository, subject)) % LOCKS]
        with client.call.holding(lock, host):
            for _ in range(WRITES):
                document = _read(client, repository, subject)
                added = _with(document, referrers)
                if added is None:
                    return
                client.put_manifest(repository, fallback_tag(subject), _index(added, host))
            if _with(_read(client, repository, subject), referrers) is not None:
                words = f"{host}/{repository}:{fallback_tag(subject)} is overwritten by somebody else again and again"
                raise RegistryError("conflict", words, host=host)


def _read(client: RegistryClient, repository: str, subject: str) -> dict[str, Any]:
    host, tag = client.access.host, fallback_tag(subject)
    try:
        found = client.get_manifest(repository, tag)
    except RegistryError as error:
        if error.code == "not-found":
            return {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": []}
        raise
    document = manifests.read_object(found.raw, host)
    if not isinstance(document.get("manifests"), list):
        words = f"{host}/{repository}:{tag} is not an index of referrers, and is not overwritten"
        raise RegistryError("conflict", words, host=host, permanent=True)
    return document


def _with(document: dict[str, Any], referrers: Sequence[Referrer]) -> dict[str, Any] | None:
    """The index with these referrers; None where it has them."""
    listed = document["manifests"]
    digests = {entry.get("digest") for entry in listed if isinstance(entry, dict)}
    missing = [referrer.entry for referrer in referrers if referrer.digest not in digests]
    return {**document, "manifests": [*listed, *missing]} if missing else None


def _index(document: dict[str, Any], host: str) -> Manifest:
    raw = json.dumps(document, indent=2, ensure_ascii=False).encode()
    if len(raw) > MAX_MANIFEST_BYTES:
        raise RegistryError("too-large", f"the index of referrers has more than {MAX_MANIFEST_BYTES} bytes", host=host)
    return manifests.parse(raw, OCI_INDEX, host=host)
