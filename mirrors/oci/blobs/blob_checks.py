"""Checks whether the target has a blob, before its transfer starts and while other manifests are read."""

from __future__ import annotations

import threading
from concurrent.futures import Executor, Future
from contextlib import suppress
from dataclasses import dataclass

from mirrors.oci.distribution.registry_client import RegistryClient
from mirrors.oci.distribution.uploads import Upload

Finding = bool | Upload
"""Whether the target has the blob; an upload session if it does not, and the same request opened one."""


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The result of a check. `mount_repositories` are other repositories of the registry that the blob can be mounted
    from."""

    finding: Finding
    mount_repositories: list[str]


class BlobCheck:
    """One check of whether the target has a blob. An upload session that it opened belongs to the caller that takes the
    finding, and is abandoned if no caller does."""

    def __init__(
        self, target: RegistryClient, repository: str, future: Future[CheckResult], request_pool: Executor
    ) -> None:
        self._target = target
        self._repository = repository
        self._future = future
        self._request_pool = request_pool
        self._is_open = True
        self._lock = threading.Lock()

    def claim(self, client: RegistryClient) -> Finding:
        """Wait for the finding, but no longer than `client`'s call may last. Raises the errors of the check."""
        finding = client.call.wait_for(self._future, client.access.host).finding
        if not self._settle() and isinstance(finding, Upload):
            return False
        return finding

    @property
    def mount_repositories(self) -> list[str] | None:
        """The repositories that the blob can be mounted from; None before the check has finished, and if it failed."""
        has_result = self._future.done() and self._future.exception() is None
        return self._future.result().mount_repositories if has_result else None

    def close(self) -> None:
        """Abandon a session that no caller has taken. Does not wait."""
        if self._settle():
            self._future.add_done_callback(self._abandon)

    def _settle(self) -> bool:
        """Mark the finding as taken or abandoned. Return whether this is the first time."""
        with self._lock:
            was_open, self._is_open = self._is_open, False
            return was_open

    def _abandon(self, future: Future[CheckResult]) -> None:
        if future.exception() is None and isinstance(upload := future.result().finding, Upload):
            # The pool of a closed engine accepts no tasks. The registry removes the session automatically.
            with suppress(RuntimeError):
                self._request_pool.submit(self._target.uploads.abandon, self._repository, upload)
