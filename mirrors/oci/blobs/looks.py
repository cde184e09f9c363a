"""Whether the target has a blob, asked before its transfer begins, while other manifests are read."""

from __future__ import annotations

import threading
from concurrent.futures import Executor, Future
from contextlib import suppress
from dataclasses import dataclass

from mirrors.oci.distribution.registry_client import RegistryClient
from mirrors.oci.distribution.uploads import Upload

Finding = bool | Upload
"""Whether the target has the blob; an upload session where it has not, and one was opened by the same request."""


@dataclass(frozen=True, slots=True)
class LookResult:
    """What came of a look. `known` are other repositories of the registry that the blob may be mounted from."""

    finding: Finding
    known: list[str]


class BlobLook:
    """One look. A session that it opened belongs to the caller that takes the finding, and is abandoned otherwise."""

    def __init__(self, target: RegistryClient, repository: str, asking: Future[LookResult], small: Executor) -> None:
        self._target = target
        self._repository = repository
        self._asking = asking
        self._small = small
        self._is_open = True
        self._lock = threading.Lock()

    def take(self, client: RegistryClient) -> Finding:
        """Waits for the finding as long as `client`'s call may last. Raises what the look raised."""
        found = client.call.outcome(self._asking, client.access.host).finding
        if not self._ends() and isinstance(found, Upload):
            return False
        return found

    @property
    def known(self) -> list[str] | None:
        """None where it is not known yet, or never will be."""
        is_answered = self._asking.done() and self._asking.exception() is None
        return self._asking.result().known if is_answered else None

    def close(self) -> None:
        """Gives up a session that nobody took. Waits for nothing."""
        if self._ends():
            self._asking.add_done_callback(self._abandon)

    def _ends(self) -> bool:
        """Whether this ends it: nobody has before."""
        with self._lock:
            was_open, self._is_open = self._is_open, False
            return was_open

    def _abandon(self, asking: Future[LookResult]) -> None:
        if asking.exception() is None and isinstance(found := asking.result().finding, Upload):
            # The pool of an engine that is closed takes nothing more: the registry removes the session by itself.
            with suppress(RuntimeError):
                self._small.submit(self._target.uploads.abandon, self._repository, found)
