"""The blob transfers of one copy: what each blob can be mounted from, and which content of the target counts."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial

from mirrors.oci.blobs.blob_checks import BlobCheck, CheckResult
from mirrors.oci.blobs.blob_copy import BlobCopy
from mirrors.oci.blobs.shared_transfers import SharedTransfers, Ticket
from mirrors.oci.blobs.target_traits import TargetTraits
from mirrors.oci.common.calls import Call
from mirrors.oci.common.copy_request import CopyRequest
from mirrors.oci.common.descriptors import Descriptor
from mirrors.oci.common.errors import RegistryError
from mirrors.oci.common.mount_index import FoundRepositories, MountIndex
from mirrors.oci.common.progress import ProgressCounter, TransferMethod
from mirrors.oci.distribution.registry_client import RegistryClient
from mirrors.oci.distribution.sender import HttpContext


@dataclass(frozen=True, slots=True)
class SharedResources:
    """The objects that all copies of an engine share. `request_pool` runs short requests; no task of a pool waits for
    another."""

    http: HttpContext
    transfers: SharedTransfers
    request_pool: Executor
    mounts: MountIndex
    traits: TargetTraits


@dataclass(frozen=True, slots=True)
class BlobTransfers:
    shared: SharedResources
    request: CopyRequest
    call: Call
    counter: ProgressCounter

    def check(self, target: RegistryClient, request_pool: Executor, blobs: Sequence[Descriptor]) -> Iterator[BlobCheck]:
        """Start to check whether the target has the blobs, and yield a check for each. `request_pool` is this image's
        share of the short requests."""
        for blob, find in zip(blobs, self._start_find(blobs), strict=True):
            future = request_pool.submit(self._check_target, target, blob, find)
            yield BlobCheck(target, self.request.target.repository, future, self.shared.request_pool)

    def _check_target(self, target: RegistryClient, blob: Descriptor, find: FoundRepositories) -> CheckResult:
        """Check whether the target has the blob, and open an upload session by the same request if possible. This is
        only for small blobs, because large ones may wait for longer than a session lasts, and only for blobs that no
        repository is known to have. Blobs of other repositories will be mounted from these; and a mount of a blob that
        the target's own repository has would disturb clients that read it (see `TargetTraits.record_written_blob`)."""
        repository = self.request.target.repository
        repositories = find()
        mount_repositories = [name for name in repositories if name != repository]
        is_small = self.shared.http.settings.is_small(blob.size)
        is_new = not repositories and (self._is_public or not self.is_recorded(blob.digest))
        if is_small and is_new and self.shared.traits.mounts_own_blobs(target.access.host):
            try:
                return CheckResult(
                    target.uploads.mount(repository, blob.digest, repository) or True, mount_repositories
                )
            except RegistryError:
                target.call.check(target.access.host)
        return CheckResult(target.has_blob(repository, blob.digest, blob.size), mount_repositories)

    def start(self, blob: Descriptor, check: BlobCheck | None) -> Ticket:
        """Start the transfer, or join that of another image."""
        request = self.request
        key = (request.target.registry, request.target.repository, blob.digest)
        parties = tuple(filter(None, (request.source.registry, request.party)))
        is_small = self.shared.http.settings.is_small(blob.size)
        ticket = self.shared.transfers.join(key, self.call, parties, self._task(blob, check), small=is_small)
        if check is not None:
            ticket.future.add_done_callback(lambda _: check.close())
        return ticket

    @property
    def _is_public(self) -> bool:
        """Whether everybody may read the copy."""
        return self.request.audience is None or self.request.audience.is_public

    def is_trusted(self, digest: str) -> bool:
        """Return whether the target's content with this digest counts. It may be another user's private content."""
        return self.request.audience is None or self.is_recorded(digest)

    def is_recorded(self, digest: str) -> bool:
        """Return whether a copy has put this content into the target's repository."""
        target = self.request.target
        return self.shared.mounts.holds(target.registry, digest, target.repository)

    def record(self, digest: str) -> None:
        target = self.request.target
        self.shared.mounts.record(target.registry, digest, target.repository)

    def _task(self, blob: Descriptor, check: BlobCheck | None) -> Callable[[Call], TransferMethod]:
        """Return the transfer. It runs under its own call, because other images may join it.

        The finding of `check` expires soon, because another process may bring the blob while the transfer waits for a
        thread."""
        request, shared = self.request, self.shared
        check_expires_at = time.monotonic() + shared.http.settings.check_age

        def transfer(call: Call) -> TransferMethod:
            call.exchanges = self.call.exchanges
            copy = BlobCopy(
                http=shared.http,
                request_pool=shared.request_pool,
                source=RegistryClient(shared.http, request.source_access, call),
                source_repository=request.source.repository,
                target=RegistryClient(shared.http, request.target_access, call, is_target=True),
                target_repository=request.target.repository,
                blob=blob,
                is_new_repository=request.target_is_new,
                check=check,
                is_check_recent=time.monotonic() < check_expires_at,
                mount_from=partial(self._mount_from, blob, check),
                is_recorded=partial(self.is_recorded, blob.digest),
                is_trusted=partial(self.is_trusted, blob.digest),
                on_bytes=partial(self.counter.add, blob),
            )
            method = copy.run()
            if method == "copied" and self._is_public and self._is_checked_by_mount(blob, check):
                shared.traits.record_written_blob(copy.target, request.target.repository, blob.digest)
            self.record(blob.digest)
            return method

        return transfer

    def _is_checked_by_mount(self, blob: Descriptor, check: BlobCheck | None) -> bool:
        """Return whether a target that mounts its own blobs would be asked for this blob by a mount."""
        return self.shared.http.settings.is_small(blob.size) and check is not None and check.mount_repositories == []

    def _mount_from(self, blob: Descriptor, check: BlobCheck | None) -> list[str]:
        repositories = check.mount_repositories if check is not None else None
        return self._find_mount_repositories(blob) if repositories is None else repositories

    def _find_mount_repositories(self, blob: Descriptor) -> list[str]:
        """Return other repositories of the target's registry that the blob can be mounted from."""
        (find,) = self._start_find([blob])
        return [name for name in find() if name != self.request.target.repository]

    def _start_find(self, blobs: Sequence[Descriptor]) -> list[FoundRepositories]:
        """Start to find the repositories that are known to have the blobs, the target's own included."""
        digests = [blob.digest for blob in blobs]
        return self.shared.mounts.start_find(self.request.target.registry, digests, self.request.audience)
