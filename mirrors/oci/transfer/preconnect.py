"""Connections that a copy will need, opened while it waits for an answer: each takes a round trip, two more for TLS."""

from __future__ import annotations

from dataclasses import dataclass

from mirrors.oci.blobs.blob_transfers import Shared
from mirrors.oci.common.descriptors import Descriptor
from mirrors.oci.common.manifests import INDEXES
from mirrors.oci.distribution.registry_client import RegistryClient

INDEX_ENTRY_BYTES = 256
"""Bytes that an index has for each manifest, at least: its digest, media type, size and platform."""

FIRST_TARGET_REQUESTS = 2
"""At once, after the look at the tag: by digest, and by a GET."""


@dataclass(frozen=True, slots=True)
class Connections:
    """Of one copy. Where as many connections are open as are expected to be needed, none is opened."""

    source: RegistryClient
    target: RegistryClient
    shared: Shared

    def expect_copy(self) -> None:
        self.shared.small.submit(self.target.preconnect, FIRST_TARGET_REQUESTS)

    def expect_manifests(self, root: Descriptor | None) -> None:
        """As many as an index of this size lists, within the slots of a host."""
        if root is None or root.media_type not in INDEXES:
            return
        wanted = min(self.shared.wire.settings.requests_per_host, (root.size or 0) // INDEX_ENTRY_BYTES)
        for client in (self.source, self.target):
            for _ in range(wanted):
                self.shared.small.submit(client.preconnect, wanted)
