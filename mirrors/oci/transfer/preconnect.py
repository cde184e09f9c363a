"""Opens connections that a copy will need while it waits for a response. Each takes a round trip, or three with TLS."""

from __future__ import annotations

from dataclasses import dataclass

from mirrors.oci.blobs.blob_transfers import SharedResources
from mirrors.oci.common.descriptors import Descriptor
from mirrors.oci.common.manifests import INDEXES
from mirrors.oci.distribution.registry_client import RegistryClient

INDEX_ENTRY_BYTES = 256
"""The minimum size of an index entry in bytes: its digest, media type, size and platform."""

FIRST_TARGET_REQUESTS = 2
"""Concurrent requests to the target after the lookup of the tag: one by digest, and one GET."""


@dataclass(frozen=True, slots=True)
class Connections:
    """The connections of one copy. If as many are open as will probably be needed, no more are opened."""

    source: RegistryClient
    target: RegistryClient
    shared: SharedResources

    def expect_copy(self) -> None:
        self.shared.request_pool.submit(self.target.preconnect, FIRST_TARGET_REQUESTS)

    def expect_manifests(self, root: Descriptor | None) -> None:
        """Open as many connections as an index of this size lists manifests, within the slots of a host."""
        if root is None or root.media_type not in INDEXES:
            return
        min_open = min(self.shared.http.settings.requests_per_host, (root.size or 0) // INDEX_ENTRY_BYTES)
        for client in (self.source, self.target):
            for _ in range(min_open):
                self.shared.request_pool.submit(client.preconnect, min_open)
