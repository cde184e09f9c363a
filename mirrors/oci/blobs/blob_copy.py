"""Copies one blob from source to target. A large blob is streamed, and is never on disk or whole in memory. No blob is
complete at the target before it is verified."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError, Executor
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass

from mirrors.oci.blobs.blob_checks import BlobCheck, Finding
from mirrors.oci.blobs.download import Download, SourceError
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
    """The copy of one blob. `mount_from` returns other repositories of the target registry that are known to have the
    blob. `is_recorded` returns whether the target's repository got the blob from a copy that was entitled to it, and
    `is_trusted` whether the target's blob counts; if not, the source has to deliver the blob first. `on_bytes` is
    called with the size of each chunk sent, and with a negative count if an upload starts again. `request_pool` runs
    short requests, none of which waits for a blob. `check` checked whether the target has the blob; `is_check_recent`
    is whether it did so recently."""

    http: HttpContext
    request_pool: Executor
    source: RegistryClient
    source_repository: str
    target: RegistryClient
    target_repository: str
    blob: Descriptor
    is_new_repository: bool
    check: BlobCheck | None
    is_check_recent: bool
    mount_from: Callable[[], Sequence[str]]
    is_recorded: Callable[[], bool]
    is_trusted: Callable[[], bool]
    on_bytes: Callable[[int], None]

    def run(self) -> TransferMethod:
        """Copy the blob and return the method used. Raises RegistryError or CopyCancelledError."""
        # A mount of a blob that the repository already has would disturb clients that read it.
        mounts_first = self._is_same_registry and not self.is_recorded()
        mounted, upload = self._mount() if mounts_first else (False, None)
        if mounted:
            return "mounted"
        tries = self.http.settings.upload_tries
        for attempt in range(1, tries + 1):
            if not (self.is_new_repository and attempt == 1):
                finding = self._find_or_open(upload, self.check if attempt == 1 else None)
                if finding is True:
                    if not self.is_trusted():
                        self._verify_source_has_blob()
                    return "skipped"
                upload = finding or None
            if attempt == 1 and not mounts_first:
                mounted, upload = self._mount(upload)
                if mounted:
                    return "mounted"
            try:
                self._upload(upload)
                return "copied"
            except RegistryError as error:
                if attempt == tries or not _is_retryable(error, self.target.access):
                    raise
                self._wait_before_retry(error, attempt)
            upload = None
        raise AssertionError("the last try returns or raises")

    @property
    def _is_same_registry(self) -> bool:
        """Whether source and target are different repositories of one registry. It then checks itself what the source
        may show, so a mount settles most blobs, and is sent without a lookup before it."""
        is_same = self.source_repository == self.target_repository
        return self.source.access.host == self.target.access.host and not is_same

    @property
    def _size(self) -> BlobSize:
        return "small" if self.http.settings.is_small(self.blob.size) else "large"

    def _mount(self, opened: Upload | None = None) -> tuple[bool, Upload | None]:
        """Return whether a mount worked, and an upload session if it did not: the one that the mount opened, or the one
        that was already `opened`. A refusal is not an error.

        Only a blob that the source itself shows is mounted, because a manifest may name the layers of another user's
        private image.
        """
        with self._abandon_on_failure(opened):
            repositories = [self.source_repository] if self._is_same_registry else self.mount_from()
            if not repositories or not (self._is_same_registry or self._is_at_source()):
                return False, opened
            try:
                upload = self.target.uploads.mount(self.target_repository, self.blob.digest, repositories[0])
            except RegistryError:
                self.target.call.check(self.target.access.host)
                return False, opened
        if opened is not None:
            self.target.uploads.abandon(self.target_repository, opened)
        return upload is None, upload

    def _find_or_open(self, opened: Upload | None, check: BlobCheck | None) -> Finding:
        """Return True if the target has the blob; else a session for its upload, that of the check or the one that a
        mount has `opened`; else False. A session that is not needed is abandoned."""
        finding = self._claim_finding(check)
        if isinstance(finding, Upload):
            opened = finding
        if finding is None or not self.is_check_recent:
            with self._abandon_on_failure(opened):
                finding = self.target.has_blob(self.target_repository, self.blob.digest, self.blob.size)
        if finding is True and opened is not None:
            self.target.uploads.abandon(self.target_repository, opened)
        return finding or opened or False

    def _claim_finding(self, check: BlobCheck | None) -> Finding | None:
        """Return the finding of the check; None without a check, or if the check was cancelled together with its image
        while other images wait for the blob."""
        if check is not None:
            with suppress(CopyCancelledError, CancelledError):
                return check.claim(self.target)
            self.target.call.check(self.target.access.host)
        return None

    @contextmanager
    def _abandon_on_failure(self, upload: Upload | None) -> Iterator[None]:
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

    def _verify_source_has_blob(self) -> None:
        """Read the blob from the source and discard it: naming a blob in a manifest does not prove possession."""
        with self._download(_ignore_bytes) as download, self._source_slot():
            download.open()
            for _ in download:
                pass

    def _upload(self, upload: Upload | None) -> None:
        """Upload the blob. A session, if none is open, is opened while the first bytes are requested from the
        source."""
        session = UploadSession(self.target, self.target_repository, self.request_pool, upload)
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
        """Stream the blob. Holds a slot at both ends from the first byte read to the last one acknowledged."""
        hosts = [self.source.access.host, self.target.access.host]
        with self._download(self.on_bytes) as download:
            try:
                with self.http.gate.hold(hosts, self.target.call, blob="large"):
                    session.begin()
                    download.open()
                    upload = session.wait()
                    self.target.uploads.put(self.target_repository, upload, self.blob.digest, download.size, download)
            except BaseException:
                self.on_bytes(-download.sent)
                raise

    def _send_whole(self, session: UploadSession) -> None:
        """Read the whole blob, then send it. Holds a slot at one end at a time, and only briefly, because others wait
        for it."""
        with self._download(_ignore_bytes) as download, self._source_slot():
            session.begin()
            download.open()
            content = b"".join(download)
        upload = session.wait()
        with self.http.gate.hold([self.target.access.host], self.target.call, blob="small"):
            self.target.uploads.put(self.target_repository, upload, self.blob.digest, len(content), content)
        self.on_bytes(len(content))

    def _source_slot(self) -> AbstractContextManager[None]:
        return self.http.gate.hold([self.source.access.host], self.source.call, blob=self._size)

    @contextmanager
    def _download(self, on_bytes: Callable[[int], None]) -> Iterator[Download]:
        """Yield a download, and raise the errors of the source unwrapped."""
        download = Download(self.source, self.source_repository, self.blob, self.http.settings, on_bytes=on_bytes)
        try:
            yield download
        except SourceError as failure:
            raise failure.error from None
        finally:
            download.close()

    def _wait_before_retry(self, error: RegistryError, attempt: int) -> None:
        settings = self.http.settings
        if error.retry_after is not None and error.retry_after > settings.inline_wait:
            raise error
        seconds = error.retry_after or settings.backoff(attempt - 1)
        self.http.gate.sleep(self.target.access.host, seconds, self.target.call)


def _ignore_bytes(count: int) -> None:
    """Ignore bytes that are read but not sent, because they are no progress."""


def _is_retryable(error: RegistryError, target: RegistryAccess) -> bool:
    """Return whether to try again, also after a refused token: it may have expired during the upload, and was
    renewed."""
    is_refused = error.code == "unauthorized" or (error.code == "denied" and target.has_alternatives)
    return not error.permanent or (is_refused and error.host == target.host)
