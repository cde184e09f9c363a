"""Copies one image: compares both sides, plans, transfers the blobs, pushes children before parents and the tag
last."""

from __future__ import annotations

from concurrent.futures import Executor, Future
from dataclasses import dataclass, field, replace
from functools import partial

from mirrors.oci.blobs.blob_transfers import BlobTransfers, SharedResources
from mirrors.oci.blobs.pools import PoolShare
from mirrors.oci.common.access import DOCKER_HUB
from mirrors.oci.common.calls import Call
from mirrors.oci.common.copy_request import CopyRequest, CopyResult
from mirrors.oci.common.descriptors import Descriptor
from mirrors.oci.common.engine_settings import MAX_SHORT_TARGET_REQUESTS
from mirrors.oci.common.errors import RegistryError
from mirrors.oci.common.manifests import Manifest, children_of
from mirrors.oci.common.progress import ProgressCounter
from mirrors.oci.distribution.registry_client import RegistryClient
from mirrors.oci.transfer.compare import Comparer, Comparison
from mirrors.oci.transfer.kept_platforms import keep_platforms
from mirrors.oci.transfer.manifest_pushes import ManifestPushes
from mirrors.oci.transfer.plan import CopyPlan, Planner, find_by_head
from mirrors.oci.transfer.preconnect import Connections
from mirrors.oci.transfer.transfer_run import TransferRun


@dataclass(frozen=True, slots=True)
class ImageCopy:
    shared: SharedResources
    request: CopyRequest
    call: Call
    counter: ProgressCounter
    source: RegistryClient = field(init=False)
    target: RegistryClient = field(init=False)
    request_pool: Executor = field(init=False)
    comparer: Comparer = field(init=False)
    blobs: BlobTransfers = field(init=False)
    pushes: ManifestPushes = field(init=False)

    def __post_init__(self) -> None:
        request, http = self.request, self.shared.http
        if self.shared.traits.is_untrusted((request.target.registry, request.target.repository)):
            request = replace(request, target_is_new=True)
            object.__setattr__(self, "request", request)
        object.__setattr__(self, "source", RegistryClient(http, request.source_access, self.call))
        object.__setattr__(self, "target", RegistryClient(http, request.target_access, self.call, is_target=True))
        object.__setattr__(self, "request_pool", PoolShare(self.shared.request_pool, http.settings.requests_per_image))
        object.__setattr__(
            self,
            "comparer",
            Comparer(request, self.source, self.target, self.call, self.request_pool, self.shared.traits),
        )
        object.__setattr__(self, "blobs", BlobTransfers(self.shared, request, self.call, self.counter))
        object.__setattr__(self, "pushes", ManifestPushes(request, self.target, self.comparer, self.blobs))

    def run(self) -> CopyResult:
        """Copy the image. Raises RegistryError or CopyCancelledError."""
        settings = self.shared.http.settings
        self.shared.http.gate.raise_limits(
            self.request.target.registry, bulk=settings.blobs, small=MAX_SHORT_TARGET_REQUESTS
        )
        try:
            return self._run()
        except RegistryError as error:
            self.call.cancel()
            if self.call.has_timed_out:
                raise self._timeout_error() from error
            raise
        except BaseException:
            self.call.cancel()
            raise

    def _run(self) -> CopyResult:
        source, target = self.request.source, self.request.target
        connections = Connections(self.source, self.target, self.shared)
        connections.expect_copy()
        comparison = self.comparer.compare()
        if comparison.is_equal:
            assert comparison.source is not None
            if self.request.subject:
                self._check_subject(self.comparer.send(self.target.get_manifest, target.repository, comparison.tag))
            return self._result(comparison.source.digest, comparison.source.digest, comparison.tag, unchanged=True)
        if (digests := self._previous_digests_if_unchanged(comparison)) is not None:
            return self._result(*digests, comparison.tag, unchanged=True)
        if comparison.present is None:
            connections.expect_manifests(comparison.source)
        confirmation, lookups = self.comparer.confirm(comparison), self._look_up_source_digest(comparison)
        original = self._get_original()
        manifest = original
        if source.digest is None:
            manifest = keep_platforms(original, self.request.platforms, host=source.registry)
        confirmed = self.call.wait_for(confirmation, target.registry) if confirmation else None
        present = comparison.present or confirmed
        plan = None
        unchanged = present is not None and present.digest == manifest.digest
        if not unchanged:
            lookup = lookups[manifest.digest] if manifest.digest in lookups else self._look_up_digest(manifest.digest)
            plan = self._copy(manifest, lookup, denies_heads=confirmed is not None, is_first=present is None)
            self.pushes.push_tag(comparison.tag, manifest)
        self.counter.report(final=True)
        return self._result(
            original.digest,
            manifest.digest,
            comparison.tag,
            unchanged=unchanged,
            platforms=manifest.platforms,
            foreign=tuple(dict.fromkeys(plan.foreign)) if plan else (),
            manifests=children_of(original),
        )

    def _previous_digests_if_unchanged(self, comparison: Comparison) -> tuple[str, str] | None:
        """Return the digests at both sides if an earlier copy with these platforms created the target's manifest from
        the source's, else None."""
        if comparison.source is None or comparison.present is None:
            return None
        digests = comparison.source.digest, comparison.present.digest
        return digests if digests == self.request.previous_digests else None

    def _look_up_source_digest(self, comparison: Comparison) -> dict[str, Future[Descriptor | None] | None]:
        """Look up the source's manifest by digest at the target, which may have it under another tag, while the source
        is read. Return the lookup by digest."""
        if comparison.source is None:
            return {}
        return {comparison.source.digest: self._look_up_digest(comparison.source.digest)}

    def _look_up_digest(self, digest: str) -> Future[Descriptor | None] | None:
        """Look up a manifest by digest at the target. Return None if no copy of it to the target is recorded: its
        content is then looked up one by one."""
        if self.request.target_is_new or not self.blobs.is_recorded(digest):
            return None
        return self.request_pool.submit(find_by_head, self.target, self.request.target.repository, digest)

    def _get_original(self) -> Manifest:
        prefetched = self.request.prefetched
        original = prefetched if isinstance(prefetched, Manifest) else self._read_original()
        self._check_subject(original)
        return original

    def _read_original(self) -> Manifest:
        source = self.request.source
        try:
            return self.comparer.send(self.source.get_manifest, source.repository, source.manifest_reference)
        except RegistryError as error:
            if error.code != "not-found":
                raise
            raise RegistryError(
                "not-found",
                f"{source} does not exist at the source; check the image's name and tag",
                host=source.registry,
                says_step=True,
                credentials_sent=error.credentials_sent,
            ) from None

    def _check_subject(self, manifest: Manifest) -> None:
        """Raise RegistryError if a list of referrers named this manifest, and it does not refer to the image."""
        if self.request.subject in ("", manifest.subject):
            return
        host = self.request.source.registry
        message = f"{host} lists {manifest.digest} as a referrer of {self.request.subject}, which it is not"
        raise RegistryError("invalid", message, host=host)

    def _copy(
        self, root: Manifest, lookup: Future[Descriptor | None] | None, *, denies_heads: bool, is_first: bool
    ) -> CopyPlan | None:
        """Copy everything that `root` refers to; the caller pushes `root` itself. Return None if the target has `root`,
        as `lookup` reports. `is_first`: the target has nothing under this tag."""
        request = self.request
        if lookup is not None and self.call.wait_for(lookup, request.target.registry):
            return None
        is_same_registry = request.source.registry == request.target.registry
        planner = Planner(
            self.source,
            request.source.repository,
            self.target,
            request.target.repository,
            self.shared.http.settings,
            self.request_pool,
            self.blobs.is_trusted,
            denies_heads,
            # A target without the tag seldom has the manifests. Docker Hub counts each manifest read as a pull.
            reads_all=request.target_is_new or (is_first and request.source.registry != DOCKER_HUB),
            # Within one registry, a mount makes the check unnecessary.
            check=None
            if request.target_is_new or is_same_registry
            else partial(self.blobs.check, self.target, self.request_pool),
            max_bytes=request.max_bytes,
        )
        plan = planner.plan(root)
        self.counter.expect(plan.blobs.values())
        TransferRun(self, plan, root).run()
        return plan

    def _timeout_error(self) -> RegistryError:
        progress, limit = self.counter.snapshot(), self.shared.http.settings.copy_seconds
        message = (
            f"{self.request.source} was not copied within {limit:,.0f} s: {progress.bytes_copied:,} of "
            f"{progress.bytes_total:,} bytes were received, {progress.bytes_copied / limit:,.0f} a second. The next "
            "attempt keeps complete layers"
        )
        return RegistryError("timeout", message, host=self.request.source.registry)

    def _result(
        self,
        source_digest: str,
        target_digest: str,
        tag: str,
        *,
        unchanged: bool,
        platforms: tuple[str, ...] = (),
        foreign: tuple[str, ...] = (),
        manifests: tuple[str, ...] = (),
    ) -> CopyResult:
        progress = self.counter.snapshot()
        return CopyResult(
            source_digest=source_digest,
            target_digest=target_digest,
            target_tag=tag,
            platforms=platforms,
            bytes_total=progress.bytes_total,
            bytes_copied=progress.bytes_copied,
            bytes_mounted=progress.bytes_mounted,
            bytes_skipped=progress.bytes_skipped,
            unchanged=unchanged,
            foreign=foreign,
            unlisted=tuple(self.pushes.unlisted),
            manifests=manifests,
        )
