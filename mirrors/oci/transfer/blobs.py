"""One blob from source to target: a large one is streamed, never on disk or whole in memory; none is complete before it
is verified."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, Executor, Future
from contextlib import suppress
from dataclasses import dataclass

from mirrors.oci.common.access import RegistryAccess
from mirrors.oci.common.errors import CopyCancelledError, RegistryError
from mirrors.oci.common.manifests import Descriptor
from mirrors.oci.http.client import RegistryClient, Upload
from mirrors.oci.http.sender import HttpContext
from mirrors.oci.http.throttle import BlobSize
from mirrors.oci.transfer.download import Download, SourceError
from mirrors.oci.transfer.progress import TransferMethod


@dataclass(frozen=True, slots=True)
class BlobCopy:
    """`mount_from` are repositories of the target registry that may have the blob. `is_known` says whether the target's
    repository got it from a copy that was entitled to it; where it did not, the source has to deliver the blob
    before what the target has counts. `on_bytes` hears of each chunk sent, and of a negative count when an upload
    starts again. `small` runs short requests, none of which waits for a blob; `looking` is one of them, which asks
    whether the target has the blob."""

    wire: HttpContext
    small: Executor
    source: RegistryClient
    source_repository: str
    target: RegistryClient
    target_repository: str
    blob: Descriptor
    is_new_repository: bool
    looking: Future[bool] | None
    mount_from: Sequence[str]
    is_known: Callable[[], bool]
    on_bytes: Callable[[int], None]

    def run(self) -> TransferMethod:
        """Raises RegistryError or CopyCancelledError."""
        mounted, upload = self._mount() if self._is_sibling else (False, None)
        if mounted:
            return "mounted"
        tries = self.wire.settings.upload_tries
        for attempt in range(1, tries + 1):
            is_known_absent = self.is_new_repository and attempt == 1
            if not is_known_absent and self._is_at_target(upload, self.looking if attempt == 1 else None):
                if not self.is_known():
                    self._prove()
                return "skipped"
            if attempt == 1 and not self._is_sibling:
                mounted, upload = self._mount()
                if mounted:
                    return "mounted"
            try:
                self._upload(upload)
                return "copied"
            except RegistryError as error:
                if attempt == tries or not _is_worth_another_try(error, self.target.access):
                    raise
                self._pause(error, attempt)
            upload = None
        raise AssertionError("the last try returns or raises")

    @property
    def _is_sibling(self) -> bool:
        """Whether the target's registry has the source too, and so finds out itself what the source shows: then the
        mount alone settles most blobs, and nobody is asked before it."""
        return self.source.access.host == self.target.access.host and self.source_repository in self.mount_from[:1]

    @property
    def _size(self) -> BlobSize:
        return "small" if self.wire.settings.is_small(self.blob.size) else "large"

    def _mount(self) -> tuple[bool, Upload | None]:
        """Whether a mount worked, and the session that was opened where it did not. A refusal is not an error.

        Only what the source itself shows is mounted: a manifest may name the layers of another's private image.
        """
        if not self.mount_from or not (self._is_sibling or self._is_at_source()):
            return False, None
        for repository in self.mount_from[:1]:
            try:
                upload = self.target.mount(self.target_repository, self.blob.digest, repository)
            except RegistryError:
                self.target.call.check(self.target.access.host)
                continue
            return upload is None, upload
        return False, None

    def _is_at_target(self, upload: Upload | None, looking: Future[bool] | None) -> bool:
        """A session that a mount has opened is given up where no upload follows."""
        is_needed = False
        try:
            is_needed = not self._answer(looking)
            return not is_needed
        finally:
            if upload is not None and not is_needed:
                self.target.abandon(self.target_repository, upload)

    def _answer(self, looking: Future[bool] | None) -> bool:
        """Asks where nobody did, or in vain: for an image that has been cancelled since, while others wait too."""
        if looking is not None:
            with suppress(CopyCancelledError, CancelledError):
                return self.target.call.outcome(looking, self.target.access.host)
            self.target.call.check(self.target.access.host)
        return self.target.has_blob(self.target_repository, self.blob.digest)

    def _is_at_source(self) -> bool:
        try:
            return self.source.has_blob(self.source_repository, self.blob.digest, confirm=True)
        except RegistryError as error:
            if not error.permanent:
                raise
            return False

    def _prove(self) -> None:
        """Reads the blob from the source, and keeps none of it: a manifest alone proves no possession."""
        download = Download(self.source, self.source_repository, self.blob, self.wire.settings, on_bytes=_ignore)
        try:
            with self.wire.gate.hold([self.source.access.host], self.source.call, blob=self._size):
                download.open()
                for _ in download:
                    pass
        except SourceError as failure:
            raise failure.error from None
        finally:
            download.close()

    def _upload(self, upload: Upload | None) -> None:
        """The session is opened, where there is none yet, while the source is asked for the first bytes."""
        download = Download(self.source, self.source_repository, self.blob, self.wire.settings, on_bytes=self.on_bytes)
        session = _Session(self, upload)
        done = False
        try:
            if self._size == "small":
                self._send_whole(download, session)
            else:
                self._stream(download, session)
            done = True
        except SourceError as failure:
            raise failure.error from None
        finally:
            download.close()
            if not done:
                self.on_bytes(-download.sent)
                session.abandon()

    def _stream(self, download: Download, session: _Session) -> None:
        """Holds a slot at both ends from the first byte read to the last one acknowledged."""
        hosts = [self.source.access.host, self.target.access.host]
        with self.wire.gate.hold(hosts, self.target.call, blob="large"):
            session.begin()
            download.open()
            self.target.put_blob(self.target_repository, session.opened(), self.blob.digest, download.size, download)

    def _send_whole(self, download: Download, session: _Session) -> None:
        """Holds a slot at one end at a time: each is needed for a moment, and others wait for it."""
        with self.wire.gate.hold([self.source.access.host], self.source.call, blob="small"):
            session.begin()
            download.open()
            content = b"".join(download)
        upload = session.opened()
        with self.wire.gate.hold([self.target.access.host], self.target.call, blob="small"):
            self.target.put_blob(self.target_repository, upload, self.blob.digest, download.size, content)

    def _pause(self, error: RegistryError, attempt: int) -> None:
        settings = self.wire.settings
        if error.retry_after is not None and error.retry_after > settings.inline_wait:
            raise error
        self.target.call.sleep(error.retry_after or settings.backoff(attempt - 1), self.target.access.host)


@dataclass(slots=True)
class _Session:
    """The upload session of one try: the one that a mount has opened, or one that is opened beside other requests."""

    copy: BlobCopy
    upload: Upload | None
    opening: Future[Upload] | None = None

    def begin(self) -> None:
        if self.upload is None:
            copy = self.copy
            self.opening = copy.small.submit(copy.target.start_upload, copy.target_repository)

    def opened(self) -> Upload:
        """Waits for it. Raises RegistryError where the target refuses."""
        if self.opening is not None:
            self.upload = self.copy.target.call.outcome(self.opening, self.copy.target.access.host)
        assert self.upload is not None
        return self.upload

    def abandon(self) -> None:
        if self.upload is not None:
            self.copy.target.abandon(self.copy.target_repository, self.upload)
        elif self.opening is not None and not self.opening.cancel():
            self.opening.add_done_callback(self._abandon_opened)

    def _abandon_opened(self, opening: Future[Upload]) -> None:
        """On the thread that opened it: the blob's own has given up by then."""
        if not opening.cancelled() and opening.exception() is None:
            self.copy.target.abandon(self.copy.target_repository, opening.result())


def _ignore(count: int) -> None:
    """Bytes that are read and not sent are no progress."""


def _is_worth_another_try(error: RegistryError, target: RegistryAccess) -> bool:
    """A refused token may have ended in mid-upload: it was renewed, so one more session is worth it."""
    is_refused = error.code == "unauthorized" or (error.code == "denied" and target.has_alternatives)
    return not error.permanent or (is_refused and error.host == target.host)
