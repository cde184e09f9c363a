"""The upload session of a blob: one that another request has opened, or one that is opened during other requests."""

from __future__ import annotations

from concurrent.futures import Executor, Future

from mirrors.oci.distribution.registry_client import RegistryClient
from mirrors.oci.distribution.uploads import Upload


class UploadSession:
    """The session of one try. `upload` is a session that is already open; `request_pool` runs the request that opens
    one."""

    def __init__(self, target: RegistryClient, repository: str, request_pool: Executor, upload: Upload | None) -> None:
        self._target = target
        self._repository = repository
        self._request_pool = request_pool
        self._upload = upload
        self._opening: Future[Upload] | None = None

    def begin(self) -> None:
        """Open a session in the background if there is none."""
        if self._upload is None and self._opening is None:
            self._opening = self._request_pool.submit(self._target.uploads.start, self._repository)

    def wait(self) -> Upload:
        """Wait for the session and return it. Raises RegistryError if the target refuses it."""
        if self._opening is not None:
            self._upload = self._target.call.wait_for(self._opening, self._target.access.host)
        assert self._upload is not None
        return self._upload

    def abandon(self) -> None:
        if self._upload is not None:
            self._target.uploads.abandon(self._repository, self._upload)
        elif self._opening is not None and not self._opening.cancel():
            self._opening.add_done_callback(self._abandon_opened)

    def _abandon_opened(self, opening: Future[Upload]) -> None:
        """Abandon the session on the thread that opened it, because the thread of the blob no longer waits for it."""
        if not opening.cancelled() and opening.exception() is None:
            self._target.uploads.abandon(self._repository, opening.result())
