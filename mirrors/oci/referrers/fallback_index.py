"""Lists referrers at registries that do not do so themselves: an index under the tag `sha256-<hex>` of the subject."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, Protocol

from mirrors.oci.common import descriptors, manifests
from mirrors.oci.common.engine_settings import MAX_MANIFEST_BYTES
from mirrors.oci.common.errors import RegistryError
from mirrors.oci.common.manifests import INDEXES, OCI_INDEX, Manifest
from mirrors.oci.distribution.registry_client import RegistryClient
from mirrors.oci.referrers.kinds import Referrer, fallback_tag
from mirrors.oci.referrers.listing import is_subject, read_fallback_index

LOCKS: Final = 64
"""The number of locks, which subjects share by their hash: many more than there are concurrent copies."""

MAX_INDEX_WRITES: Final = 3
"""How many times an index is written, because another client may overwrite it."""


POLL_SECONDS: Final = 0.2
"""Seconds between two tries to acquire the lease of an index; one write takes about as long."""


class IndexLeases(Protocol):
    """A lock across processes that expires if its holder is killed. Called from any thread; raises nothing."""

    def hold(self, name: str) -> bool:
        """Acquire or renew the lease. Return False if another process has it, or if its holder cannot be determined."""

    def release(self, name: str) -> None: ...


class FallbackIndexes:
    """Writes indexes of referrers, one writer at a time for each subject: in this process by a lock, across processes
    by a lease. Other clients use neither, so what is written is read back, and lost entries are added again."""

    def __init__(self, leases: IndexLeases | None = None) -> None:
        self._locks = [threading.Lock() for _ in range(LOCKS)]
        self._leases = leases

    def add(self, client: RegistryClient, repository: str, subject: str, referrers: Sequence[Referrer]) -> None:
        """Add referrers to the index of the subject. Existing entries stay unchanged. Raises RegistryError."""
        host = client.access.host
        with self._exclusive(client, f"{host}/{repository}@{subject}") as index:
            for _ in range(MAX_INDEX_WRITES):
                updated = _with_added(_read(client, repository, subject), referrers)
                if updated is None:
                    return
                self._wait_for_lease(client, index)
                client.put_manifest(repository, fallback_tag(subject), _index_manifest(updated, host))
            if _with_added(_read(client, repository, subject), referrers) is not None:
                message = f"{host}/{repository}:{fallback_tag(subject)} is repeatedly overwritten by another client"
                raise RegistryError("conflict", message, host=host)

    @contextmanager
    def _exclusive(self, client: RegistryClient, index: str) -> Iterator[str]:
        """Hold the lock and the lease of an index inside the block, and yield the name of the lease."""
        name = hashlib.sha256(index.encode()).hexdigest()
        with client.call.holding(self._locks[hash(index) % LOCKS], client.access.host):
            self._wait_for_lease(client, name)
            try:
                yield name
            finally:
                if self._leases is not None:
                    self._leases.release(name)

    def _wait_for_lease(self, client: RegistryClient, name: str) -> None:
        """Wait for the lease, but no longer than the call may last."""
        while self._leases is not None and not self._leases.hold(name):
            client.call.sleep(POLL_SECONDS, client.access.host)


def _read(client: RegistryClient, repository: str, subject: str) -> dict[str, Any]:
    host, tag = client.access.host, fallback_tag(subject)
    raw = read_fallback_index(client, repository, subject)
    if raw is None:
        return {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": []}
    if is_subject(raw, subject):
        message = (
            f"{host} interprets the tag {tag} as a digest and therefore cannot list the referrers of {repository}: "
            "they are copied, but clients find only signatures under cosign's own tags there"
        )
        raise RegistryError("unsupported", message, host=host, says_step=True)
    document = manifests.read_object(raw, host)
    if not isinstance(document.get("manifests"), list):
        message = f"{host}/{repository}:{tag} is not an index of referrers, and is not overwritten"
        raise RegistryError("conflict", message, host=host, permanent=True)
    return document


def _with_added(document: dict[str, Any], referrers: Sequence[Referrer]) -> dict[str, Any] | None:
    """Return the index with these referrers added; None if it already has them."""
    listed = document["manifests"]
    # A list, because any client can write the index, and values such as objects cannot be in a set.
    digests = [entry.get("digest") for entry in listed if isinstance(entry, dict)]
    missing = [referrer.entry for referrer in referrers if referrer.digest not in digests]
    return {**document, "manifests": [*listed, *missing]} if missing else None


def _index_manifest(document: dict[str, Any], host: str) -> Manifest:
    try:
        raw = json.dumps(document, allow_nan=False).encode()
    except ValueError:
        message = "the index of referrers has a number that cannot be written again: delete its tag"
        raise RegistryError("invalid", f"{host}: {message}", host=host, says_step=True) from None
    if len(raw) > MAX_MANIFEST_BYTES:
        raise RegistryError("too-large", f"the index of referrers has more than {MAX_MANIFEST_BYTES} bytes", host=host)
    # Entries of other clients stay unchanged, even those that this process cannot parse.
    media_type = document.get("mediaType")
    return Manifest(raw, descriptors.digest_of(raw), media_type if media_type in INDEXES else OCI_INDEX)
