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
    """The result of a check. `known` are other repositories of the registry that the blob can be mounted from."""

    finding: Finding
    known: list[str]


class BlobCheck:
    """One check of whether the target has a blob. An upload session that it opened belongs to the caller that takes the
    finding, and is abandoned if no caller does."""

    def __init__(self, target: RegistryClient, repository: str, asking: Future[CheckResult], small: Executor) -> None:
        self._target = target
        self._repository = repository
        self._asking = asking
        self._small = small
        self._is_open = True
        self._lock = threading.Lock()

    def take(self, client: RegistryClient) -> Finding:
        """Wait for the finding, but no longer than `client`'s call may last. Raises the errors of the check."""
        found = client.call.outcome(self._asking, client.access.host).finding
        if not self._ends() and isinstance(found, Upload):
            return False
        return found

    @property
    def known(self) -> list[str] | None:
        """The repositories that the blob can be mounted from; None before the check has finished, and if it failed."""
        is_answered = self._asking.done() and self._asking.exception() is None
        return self._asking.result().known if is_answered else None

    def close(self) -> None:
        """Abandon a session that no caller has taken. Does not wait."""
        if self._ends():
            self._asking.add_done_callback(self._abandon)

    def _ends(self) -> bool:
        """Mark the finding as taken or abandoned. Return whether this is the first time."""
        with self._lock:
            was_open, self._is_open = self._is_open, False
            return was_open

    def _abandon(self, asking: Future[CheckResult]) -> None:
        if asking.exception() is None and isinstance(found := asking.result().finding, Upload):
            # The pool of a closed engine accepts no tasks. The registry removes the session automatically.
            with suppress(RuntimeError):
                self._small.submit(self._target.uploads.abandon, self._repository, found)
