"""The transfers of one copy: what each blob may be mounted from, and whose content at the target counts."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from functools import partial

from mirrors.oci.common.calls import Call
from mirrors.oci.common.manifests import Descriptor
from mirrors.oci.http.client import RegistryClient
from mirrors.oci.http.sender import HttpContext
from mirrors.oci.transfer.blobs import BlobCopy
from mirrors.oci.transfer.mounts import MountIndex
from mirrors.oci.transfer.progress import ProgressCounter, TransferMethod
from mirrors.oci.transfer.requests import CopyRequest
from mirrors.oci.transfer.shared_transfers import SharedTransfers, Ticket


@dataclass(frozen=True, slots=True)
class Shared:
    """What all copies of an engine use. `small` runs short requests; no task of any pool waits for another."""

    wire: HttpContext
    board: SharedTransfers
    small: Executor
    mounts: MountIndex


@dataclass(frozen=True, slots=True)
class BlobTransfers:
    shared: Shared
    request: CopyRequest
    call: Call
    counter: ProgressCounter

    def start(self, blob: Descriptor, looking: Future[bool] | None) -> Ticket:
        """Begins the transfer, or waits along with another image's. `looking` asks whether the target has the blob."""
        request = self.request
        key = (request.target.registry, request.target.repository, blob.digest)
        parties = tuple(filter(None, (request.source.registry, request.party)))
        is_small = self.shared.wire.settings.is_small(blob.size)
        return self.shared.board.join(key, self.call, parties, self._task(blob, looking), small=is_small)

    def is_known(self, digest: str) -> bool:
        """Whether what the target has under this digest counts: it may be another's private content."""
        target = self.request.target
        return self.request.readers is None or self.shared.mounts.holds(target.registry, digest, target.repository)

    def record(self, digest: str) -> None:
        target = self.request.target
        self.shared.mounts.record(target.registry, digest, target.repository)

    def _task(self, blob: Descriptor, looking: Future[bool] | None) -> Callable[[Call], TransferMethod]:
        """To be run under a call of its own: other images may come to wait for it.

        `looking` counts only soon: while this waits for a thread, another process may bring the blob."""
        request, shared = self.request, self.shared
        counts_until = time.monotonic() + shared.wire.settings.look_age

        def transfer(call: Call) -> TransferMethod:
            call.exchanges = self.call.exchanges
            copy = BlobCopy(
                wire=shared.wire,
                small=shared.small,
                source=RegistryClient(shared.wire, request.source_access, call),
                source_repository=request.source.repository,
                target=RegistryClient(shared.wire, request.target_access, call),
                target_repository=request.target.repository,
                blob=blob,
                is_new_repository=request.target_is_new,
                looking=looking if time.monotonic() < counts_until else None,
                mount_from=self._mount_from(blob),
                is_known=partial(self.is_known, blob.digest),
                on_bytes=partial(self.counter.add, blob),
            )
            way = copy.run()
            self.record(blob.digest)
            return way

        return transfer

    def _mount_from(self, blob: Descriptor) -> list[str]:
        target, source = self.request.target, self.request.source
        known = self.shared.mounts.find(target.registry, blob.digest, self.request.readers)
        own = [source.repository] if source.registry == target.registry else []
        return [repository for repository in (*own, *known) if repository != target.repository]
