"""One blob from source to target: a large one is streamed, never on disk or whole in memory; none is complete before it
is verified."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError, Executor
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass

from mirrors.oci.blobs.download import Download, SourceError
from mirrors.oci.blobs.looks import BlobLook, Finding
from mirrors.oci.blobs.upload_session import UploadSession
from mirrors.oci.common.access import RegistryAccess
from mirrors.oci.common.descriptors import Descriptor
from mirrors.oci.common.errors import CopyCancelledError, RegistryError
from mirrors.oci.common.progress import TransferMethod
from mirrors.oci.distribution.registry_client import RegistryClient
from mirrors.oci.distribution.sender import HttpContext
from mirrors.oci.distribution.throttle import BlobSize
from mirrors.oci.distribution.uploads import Upload


@dataclass(frozen=True, slots=True)
class BlobCopy:
    """`mount_from` gives other repositories of the target registry that are known to have the blob. `is_recorded` says
    whether the target's repository got it from a copy that was entitled to it, and `is_known` whether what the target
    has counts; where it does not, the source has to deliver the blob first. `on_bytes` hears of each chunk sent, and
    of a negative count when an upload starts again. `small` runs short requests, none of which waits for a blob. `look`
    has asked whether the target has the blob, and `look_counts` says whether its finding does: not long afterwards."""

    wire: HttpContext
    small: Executor
    source: RegistryClient
    source_repository: str
    target: RegistryClient
    target_repository: str
    blob: Descriptor
    is_new_repository: bool
    look: BlobLook | None
    look_counts: bool
    mount_from: Callable[[], Sequence[str]]
    is_recorded: Callable[[], bool]
    is_known: Callable[[], bool]
    on_bytes: Callable[[int], None]

    def run(self) -> TransferMethod:
        """Raises RegistryError or CopyCancelledError."""
        # A mount of what is there already would disturb those who read it.
        mounts_first = self._is_sibling and not self.is_recorded()
        mounted, upload = self._mount() if mounts_first else (False, None)
        if mounted:
            return "mounted"
        tries = self.wire.settings.upload_tries
        for attempt in range(1, tries + 1):
            if not (self.is_new_repository and attempt == 1):
                found = self._find(upload, self.look if attempt == 1 else None)
                if found is True:
                    if not self.is_known():
                        self._prove()
                    return "skipped"
                upload = found or None
            if attempt == 1 and not mounts_first:
                mounted, upload = self._mount(upload)
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
        is_same = self.source_repository == self.target_repository
        return self.source.access.host == self.target.access.host and not is_same

    @property
    def _size(self) -> BlobSize:
        return "small" if self.wire.settings.is_small(self.blob.size) else "large"

    def _mount(self, opened: Upload | None = None) -> tuple[bool, Upload | None]:
        """Whether a mount worked, and the session for an upload where it did not: the one that it opened, or the one
        that was `opened` already. A refusal is not an error.

        Only what the source itself shows is mounted: a manifest may name the layers of another's private image.
        """
        with self._abandoned_on_failure(opened):
            repositories = [self.source_repository] if self._is_sibling else self.mount_from()
            if not repositories or not (self._is_sibling or self._is_at_source()):
                return False, opened
            try:
                upload = self.target.uploads.mount(self.target_repository, self.blob.digest, repositories[0])
            except RegistryError:
                self.target.call.check(self.target.access.host)
                return False, opened
        if opened is not None:
            self.target.uploads.abandon(self.target_repository, opened)
        return upload is None, upload

    def _find(self, opened: Upload | None, look: BlobLook | None) -> Finding:
        """Whether the target has the blob, or a session for its upload: the one that a mount has `opened`, or that the
        look has. One that nothing follows is given up."""
        found = self._taken(look)
        if isinstance(found, Upload):
            opened = found
        if found is None or not self.look_counts:
            with self._abandoned_on_failure(opened):
                found = self.target.has_blob(self.target_repository, self.blob.digest, self.blob.size)
        if found is True and opened is not None:
            self.target.uploads.abandon(self.target_repository, opened)
        return found or opened or False

    def _taken(self, look: BlobLook | None) -> Finding | None:
        """None where nobody has asked, or in vain: for an image that has been cancelled since, while others wait."""
        if look is not None:
            with suppress(CopyCancelledError, CancelledError):
                return look.take(self.target)
            self.target.call.check(self.target.access.host)
        return None

    @contextmanager
    def _abandoned_on_failure(self, upload: Upload | None) -> Iterator[None]:
        try:
            yield
        except BaseException:
            if upload is not None:
                self.target.uploads.abandon(self.target_repository, upload)
            raise

    def _is_at_source(self) -> bool:
        try:
            return self.source.has_blob(self.source_repository, self.blob.digest, confirm=True)
        except RegistryError as error:
            if not error.permanent:
                raise
            return False

    def _prove(self) -> None:
        """Reads the blob from the source, and keeps none of it: a manifest alone proves no possession."""
        with self._download(_ignore) as download, self._source_slot():
            download.open()
            for _ in download:
                pass

    def _upload(self, upload: Upload | None) -> None:
        """The session is opened, where there is none yet, while the source is asked for the first bytes."""
        session = UploadSession(self.target, self.target_repository, self.small, upload)
        done = False
        try:
            if self._size == "small":
                self._send_whole(session)
            else:
                self._stream(session)
            done = True
        finally:
            if not done:
                session.abandon()

    def _stream(self, session: UploadSession) -> None:
        """Holds a slot at both ends from the first byte read to the last one acknowledged."""
        hosts = [self.source.access.host, self.target.access.host]
        with self._download(self.on_bytes) as download:
            try:
                with self.wire.gate.hold(hosts, self.target.call, blob="large"):
                    session.begin()
                    download.open()
                    upload = session.opened()
                    self.target.uploads.put(self.target_repository, upload, self.blob.digest, download.size, download)
            except BaseException:
                self.on_bytes(-download.sent)
                raise

    def _send_whole(self, session: UploadSession) -> None:
        """Holds a slot at one end at a time: each is needed for a moment, and others wait for it."""
        with self._download(_ignore) as download, self._source_slot():
            session.begin()
            download.open()
            content = b"".join(download)
        upload = session.opened()
        with self.wire.gate.hold([self.target.access.host], self.target.call, blob="small"):
            self.target.uploads.put(self.target_repository, upload, self.blob.digest, len(content), content)
        self.on_bytes(len(content))

    def _source_slot(self) -> AbstractContextManager[None]:
        return self.wire.gate.hold([self.source.access.host], self.source.call, blob=self._size)

    @contextmanager
    def _download(self, on_bytes: Callable[[int], None]) -> Iterator[Download]:
        """Raises the source's error as it is."""
        download = Download(self.source, self.source_repository, self.blob, self.wire.settings, on_bytes=on_bytes)
        try:
            yield download
        except SourceError as failure:
            raise failure.error from None
        finally:
            download.close()

    def _pause(self, error: RegistryError, attempt: int) -> None:
        settings = self.wire.settings
        if error.retry_after is not None and error.retry_after > settings.inline_wait:
            raise error
        seconds = error.retry_after or settings.backoff(attempt - 1)
        self.wire.gate.sleep(self.target.access.host, seconds, self.target.call)


def _ignore(count: int) -> None:
    """Bytes that are read and not sent are no progress."""


def _is_worth_another_try(error: RegistryError, target: RegistryAccess) -> bool:
    """A refused token may have ended in mid-upload: it was renewed, so one more session is worth it."""
    is_refused = error.code == "unauthorized" or (error.code == "denied" and target.has_alternatives)
    return not error.permanent or (is_refused and error.host == target.host)
