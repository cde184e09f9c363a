"""Observed behavior of target registries, so that later copies send one request where they would send two."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from mirrors.oci.common.errors import RegistryError
from mirrors.oci.distribution.registry_client import RegistryClient

WrittenContent = tuple[str, str]
"""A repository, and a tag or digest that was written to it. A request for it shows how the registry responds."""


Repository = tuple[str, str]
"""A registry, and the name of one of its repositories."""


UNTRUSTED_SECONDS = 900.0
"""Seconds for which a repository that contradicted itself is not trusted: longer than the next attempts of a job take,
and than registries cache content that their garbage collection deleted."""


MAX_TRAIT_CHECKS = 10
"""The maximum number of inconclusive checks of one trait of a registry, of one to three requests each. After these,
copies do without the trait."""


NO_BLOB = f"sha256:{'0' * 64}"
"""A digest that no blob has."""


@dataclass(slots=True)
class _Trait:
    """A trait of one registry. `result` is None while it is not known, and False during a check. `written` is the
    content for the next check."""

    result: bool | None = None
    checks: int = 0
    written: WrittenContent | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def record_written(self, written: WrittenContent) -> None:
        with self.lock:
            if self.result is None and self.written is None:
                self.written = written

    def determine(self, check: Callable[[WrittenContent], bool | None], *, other_than: str = "") -> bool:
        """Return whether the registry has the trait. If that was not checked yet, check it with content that was
        written to another repository than `other_than`. If `check` returns None, the check was inconclusive, and is
        repeated with the next content that is written. Other callers get False during the check."""
        with self.lock:
            written = self.written
            if written is None or written[0] == other_than:
                return bool(self.result)
            self.written, self.result = None, False
        self.checks += 1
        result = None
        try:
            result = check(written)
        finally:
            self.result = False if result is None and self.checks == MAX_TRAIT_CHECKS else result
        return bool(result)


class TargetTraits:
    """The traits of all targets. Thread-safe; each engine has one. Each trait of a registry is checked once, when
    something was written to the registry."""

    def __init__(self) -> None:
        self._supports_heads: dict[str, _Trait] = {}
        self._mounts_own_blobs: dict[str, _Trait] = {}
        self._last_tag_existed: dict[str, bool] = {}
        self._contradicted_at: dict[Repository, float] = {}

    def record_contradiction(self, repository: Repository) -> None:
        """Record that the repository refused a manifest because of missing content that it had shown before."""
        now = time.monotonic()
        self._contradicted_at = {
            name: since for name, since in self._contradicted_at.items() if now - since < UNTRUSTED_SECONDS
        }
        self._contradicted_at[repository] = now

    def is_untrusted(self, repository: Repository) -> bool:
        """Return whether the content that the repository shows is not trusted for now: copies then bring everything
        again."""
        since = self._contradicted_at.get(repository)
        return since is not None and time.monotonic() - since < UNTRUSTED_SECONDS

    def record_tag_lookup(self, registry: str, *, exists: bool) -> None:
        self._last_tag_existed[registry] = exists

    def expects_tag(self, registry: str) -> bool:
        """Return whether the next tag probably exists, which is so if the last one that was looked up did: copies of
        many new images follow one another, and so do checks of existing images."""
        return self._last_tag_existed.get(registry, True)

    def record_written_tag(self, registry: str, repository: str, tag: str) -> None:
        _trait_of(self._supports_heads, registry).record_written((repository, tag))

    def record_written_blob(self, target: RegistryClient, repository: str, digest: str) -> None:
        """Record a blob that was written; call this before a manifest refers to it. When a second repository gets a
        blob, check whether a mount from this repository itself finds the blob, but not the blob that the first
        repository has. If so, one request can look up a blob and open the upload of a missing one.

        The check is safe because no client reads the new blob yet, and the repository does not have the other one. A
        mount of a blob that a repository has rewrites its link to the blob, and distribution on a file system returns
        an error to clients that read the link at that moment."""

        def check(written: WrittenContent) -> bool | None:
            if _has_blob(target, repository, written[1]):
                return None
            mounted = [_mount_finds_blob(target, repository, blob) for blob in (digest, written[1])]
            if mounted == [True, True] and not _mount_finds_blob(target, repository, NO_BLOB):
                # In the meantime, another copy wrote the other blob to this repository.
                return None
            return None if None in mounted else mounted == [True, False]

        trait = _trait_of(self._mounts_own_blobs, target.access.host)
        trait.determine(check, other_than=repository)
        trait.record_written((repository, digest))

    def supports_heads(self, target: RegistryClient) -> bool:
        """Return whether a HEAD shows an existing manifest, so that a 404 for a HEAD can be trusted."""
        return _trait_of(self._supports_heads, target.access.host).determine(
            lambda written: _head_finds_tag(target, *written)
        )

    def mounts_own_blobs(self, registry: str) -> bool:
        """Return whether a mount from the repository itself finds a blob that this repository has, and none that only
        others have. False while that is not known."""
        return bool(_trait_of(self._mounts_own_blobs, registry).result)


def _trait_of(traits: dict[str, _Trait], registry: str) -> _Trait:
    """Return the trait of a registry. No trait is ever removed, because there are few targets."""
    return traits.setdefault(registry, _Trait())


def _head_finds_tag(target: RegistryClient, repository: str, tag: str) -> bool | None:
    try:
        return target.head_manifest(repository, tag) is not None
    except RegistryError as error:
        return False if error.permanent else None


def _has_blob(target: RegistryClient, repository: str, digest: str) -> bool:
    """Return whether the repository has the blob; True if the request failed."""
    try:
        return target.has_blob(repository, digest)
    except RegistryError:
        return True


def _mount_finds_blob(target: RegistryClient, repository: str, digest: str) -> bool | None:
    """Return whether a mount from the repository itself finds the blob; None after a transient error."""
    try:
        upload = target.uploads.mount(repository, digest, repository)
    except RegistryError as error:
        return False if error.permanent else None
    if upload is not None:
        target.uploads.abandon(repository, upload)
    return upload is None
