"""Copies the referrers of an image that is at the target: signatures, attestations, and by policy everything.

Failures in this module are not errors of the image: they are problems in the result.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final, TypeVar

from mirrors.oci.blobs.blob_transfers import SharedResources
from mirrors.oci.blobs.pools import PoolShare
from mirrors.oci.common.calls import Call
from mirrors.oci.common.copy_request import CopyRequest, CopyResult
from mirrors.oci.common.engine_settings import GIB, MIB
from mirrors.oci.common.errors import RegistryError
from mirrors.oci.common.progress import ProgressCounter
from mirrors.oci.distribution.registry_client import RegistryClient
from mirrors.oci.referrers import listing
from mirrors.oci.referrers.fallback_index import FallbackIndexes
from mirrors.oci.referrers.kinds import Referrer, ReferrerPolicy
from mirrors.oci.referrers.lookup import FoundReferrer, LookupResult, ReferrerLookup
from mirrors.oci.referrers.referrers_result import ReferrersResult
from mirrors.oci.referrers.signers import check_signatures_kept, signers_of
from mirrors.oci.referrers.subjects import subjects_of
from mirrors.oci.transfer.copy import ImageCopy

MAX_REFERRERS: Final = 200
"""The maximum number of referrers of one image; one that several parties have signed has about ten per platform."""

MAX_REFERRER_BYTES: Final = 100 * MIB
"""Bytes of the blobs of one referrer; SBOMs of the largest images have about 20 MiB."""

MAX_ALL_REFERRERS_BYTES: Final = GIB
"""Bytes of the blobs of all referrers of an image."""

MAX_DEPTH: Final = 3
"""Levels of referrers: an SBOM of the image, the SBOM's signature, a statement about that signature."""

CONCURRENT_COPIES: Final = 4
"""Referrers of an image that are copied concurrently; most have two small blobs."""

MAX_SIGNATURES_READ: Final = 10
"""Listed signatures whose certificates are read; the others are only copied."""

MAX_PROBLEMS: Final = 5
"""Problems of one image that are reported; the first shows what is wrong."""

T = TypeVar("T")


@dataclass(slots=True)
class _Tally:
    found: int = 0
    copied: int = 0
    bytes_copied: int = 0
    at_target: list[FoundReferrer] = field(default_factory=list)
    problems: dict[str, None] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add_bytes(self, count: int) -> None:
        """Count bytes. Called from the threads that copy; everything else is only used on the caller's thread."""
        with self.lock:
            self.bytes_copied += count


@dataclass(frozen=True, slots=True)
class ReferrersCopy:
    """Copies the referrers of one image. `request` is the request for the image's copy, `image` the result."""

    shared: SharedResources
    indexes: FallbackIndexes
    request: CopyRequest
    image: CopyResult
    policy: ReferrerPolicy
    call: Call
    tally: _Tally = field(init=False, default_factory=_Tally)
    source: RegistryClient = field(init=False)
    target: RegistryClient = field(init=False)

    def __post_init__(self) -> None:
        request, http = self.request, self.shared.http
        object.__setattr__(self, "source", RegistryClient(http, request.source_access, self.call))
        object.__setattr__(self, "target", RegistryClient(http, request.target_access, self.call, is_target=True))

    def run(self) -> ReferrersResult:
        """Copy the referrers. Raises only CopyCancelledError."""
        request_pool = PoolShare(self.shared.request_pool, self.shared.http.settings.requests_per_image)
        copies = ThreadPoolExecutor(CONCURRENT_COPIES, thread_name_prefix="oci-referrer")
        try:
            return self._run(request_pool, copies)
        except RegistryError as error:
            self._record(error)
            return self._result(None)
        finally:
            self.call.cancel()
            copies.shutdown(wait=False, cancel_futures=True)

    def _run(self, request_pool: Executor, copies: Executor) -> ReferrersResult:
        subjects = self._wait(request_pool.submit(self._subjects))
        self._copy_levels(subjects, request_pool, copies)
        futures = [
            request_pool.submit(self._ensure_listed, manifest.subject, [Referrer.of(manifest)], [])
            for manifest in self.image.unlisted
        ]
        for future in futures:
            self._record_failure(future)
        is_signed, signers = self._check_signatures(subjects, request_pool)
        return self._result(None if self.tally.problems and not is_signed else is_signed, signers)

    def _subjects(self) -> list[str]:
        """Return the digests that signatures may refer to. An index without some of its platforms is new, so none refer
        to it."""
        repository = self.request.target.repository
        root = self.target.get_manifest(repository, self.image.target_digest)
        subjects = subjects_of(self.target, repository, root)
        return subjects if self._has_all_platforms else subjects[1:]

    @property
    def _has_all_platforms(self) -> bool:
        return self.image.target_digest == self.image.source_digest

    def _copy_levels(self, subjects: Sequence[str], request_pool: Executor, copies: Executor) -> None:
        """Copy the referrers of the image and, with the policy ``all``, the referrers of those. No digest is followed
        twice, because referrers may name one another."""
        level, seen = list(subjects), set(subjects)
        for _ in range(MAX_DEPTH if self.policy == "all" else 1):
            found = [referrer for referrer in self._find_referrers(level, request_pool) if referrer.digest not in seen]
            level = self._copy_all(self._within_limit(found), request_pool, copies)
            seen.update(level)
            if not level:
                return

    def _find_referrers(self, subjects: Sequence[str], request_pool: Executor) -> list[FoundReferrer]:
        lookup = ReferrerLookup(self.source, self.request.source.repository, self.policy)
        futures = [request_pool.submit(step) for subject in subjects for step in lookup.steps(subject)]
        found: dict[str, FoundReferrer] = {}
        for future in futures:
            result = self._record_failure(future) or LookupResult()
            found |= {referrer.name: referrer for referrer in result.found}
            if result.problem is not None:
                self._record(result.problem)
        return list(found.values())

    def _within_limit(self, found: list[FoundReferrer]) -> list[FoundReferrer]:
        remaining = MAX_REFERRERS - self.tally.found
        if len(found) > remaining:
            host = self.source.access.host
            message = f"{host}/{self.request.source.repository} has more than {MAX_REFERRERS} referrers of one image"
            self._record(RegistryError("too-large", f"{message}; the others are not copied", host=host))
        self.tally.found += min(remaining, len(found))
        return sorted(found, key=lambda referrer: referrer.rank)[:remaining]

    def _copy_all(self, found: Sequence[FoundReferrer], request_pool: Executor, copies: Executor) -> list[str]:
        """Copy these referrers, and return the digests of those that are at the target now."""
        running = [(referrer, copies.submit(self._copy_one, referrer)) for referrer in found]
        done = [
            (referrer, result) for referrer, future in running if (result := self._record_failure(future)) is not None
        ]
        for referrer, result in done:
            self.tally.at_target.append(referrer)
            self.tally.copied += not result.unchanged
        unlisted = [
            request_pool.submit(self._ensure_listed, subject, *unlisted_referrers)
            for subject, unlisted_referrers in _unlisted_by_subject(done).items()
        ]
        for future in unlisted:
            self._record_failure(future)
        return [referrer.digest for referrer, _ in done]

    def _copy_one(self, referrer: FoundReferrer) -> CopyResult:
        """Copy one referrer on its own thread, with its own call, so that a failure ends no other copy."""
        remaining = MAX_ALL_REFERRERS_BYTES - self.tally.bytes_copied
        source, target = self.request.source, self.request.target
        tag, digest = (referrer.tag, None) if referrer.tag else (None, referrer.digest)
        if referrer.is_appended:
            read_source = partial(self.source.get_manifest, source.repository, referrer.digest)
            check_signatures_kept(self.target, target.repository, referrer.tag, referrer.digest, read_source)
        request = replace(
            self.request,
            source=replace(source, tag=tag, digest=digest),
            target=replace(target, tag=tag, digest=digest),
            platforms=(),
            target_is_new=False,
            prefetched=None,
            previous_digests=None,
            subject="" if referrer.tag else referrer.subject,
            max_bytes=max(0, min(MAX_REFERRER_BYTES, remaining)),
        )
        call = Call(cancelled=lambda: self.call.is_cancelled, exchanges=self.call.exchanges)
        result = ImageCopy(self.shared, request, call, ProgressCounter(None, 0)).run()
        self.tally.add_bytes(result.bytes_copied)
        return result

    def _ensure_listed(self, subject: str, pushed: Sequence[Referrer], present: Sequence[Referrer]) -> None:
        """Make sure that the target lists the referrers: those `pushed` without its confirmation, and those already
        `present` if the target keeps no list itself."""
        repository = self.request.target.repository
        listed = listing.list_by_api(self.target, repository, subject)
        if listed is None:
            missing = [*pushed, *present]
        else:
            listed_digests = {referrer.digest for referrer in listed.referrers}
            missing = [referrer for referrer in pushed if referrer.digest not in listed_digests]
        if missing:
            self.indexes.add(self.target, repository, subject, missing)

    def _check_signatures(self, subjects: Sequence[str], request_pool: Executor) -> tuple[bool, tuple[str, ...]]:
        """Return whether the target has signatures of the image itself (of an index with fewer platforms: of its
        platforms), and the signers. Content under a tag counts only once it is read."""
        signed = {self.image.target_digest} if self._has_all_platforms else set(subjects)
        claimed = [
            referrer for referrer in self.tally.at_target if referrer.is_signature and referrer.subject in signed
        ]
        listed = [referrer for referrer in claimed if referrer.listed]
        read = [*(referrer for referrer in claimed if not referrer.listed), *listed[:MAX_SIGNATURES_READ]]
        futures = [request_pool.submit(self._read_signers, referrer) for referrer in read]
        found = [names for future in futures if (names := self._record_failure(future)) is not None]
        return bool(listed or found), tuple(dict.fromkeys(name for names in found for name in names))

    def _read_signers(self, referrer: FoundReferrer) -> list[str] | None:
        return signers_of(self.shared.http, self.target, self.request.target.repository, referrer.digest)

    def _wait(self, future: Future[T]) -> T:
        return self.call.wait_for(future, self.request.source.registry)

    def _record_failure(self, future: Future[T]) -> T | None:
        """Return the result. After an error, record a problem and return None, unless the time of the whole copy is
        up."""
        try:
            return self._wait(future)
        except RegistryError as error:
            if self.call.has_timed_out:
                raise
            self._record(error)
            return None

    def _record(self, error: RegistryError) -> None:
        if len(self.tally.problems) < MAX_PROBLEMS:
            self.tally.problems[str(error)] = None

    def _result(self, is_signed: bool | None, signers: tuple[str, ...] = ()) -> ReferrersResult:
        tally = self.tally
        return ReferrersResult(tally.found, tally.copied, tally.bytes_copied, is_signed, signers, tuple(tally.problems))


def _unlisted_by_subject(
    done: Sequence[tuple[FoundReferrer, CopyResult]],
) -> dict[str, tuple[list[Referrer], list[Referrer]]]:
    """Return by subject the referrers that were pushed and not confirmed as listed, and those already at the target."""
    by_subject: dict[str, tuple[list[Referrer], list[Referrer]]] = {}
    for referrer, result in done:
        for manifest in result.unlisted:
            by_subject.setdefault(manifest.subject, ([], []))[0].append(Referrer.of(manifest))
        if referrer.listed is not None and result.unchanged:
            by_subject.setdefault(referrer.subject, ([], []))[1].append(referrer.listed)
    return by_subject
