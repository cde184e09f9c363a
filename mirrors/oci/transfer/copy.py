"""Copies one image: compares both sides, plans, transfers the blobs, pushes children before parents and the tag
last."""

from __future__ import annotations

from concurrent.futures import Executor, Future
from dataclasses import dataclass, field, replace
from functools import partial

from mirrors.oci.blobs.blob_transfers import BlobTransfers, Shared
from mirrors.oci.blobs.pools import PoolShare
from mirrors.oci.common.access import DOCKER_HUB
from mirrors.oci.common.calls import Call
from mirrors.oci.common.copy_request import CopyRequest, CopyResult
from mirrors.oci.common.descriptors import Descriptor
from mirrors.oci.common.engine_settings import MAX_TARGET_REQUESTS_BESIDE_BLOBS
from mirrors.oci.common.errors import RegistryError
from mirrors.oci.common.manifests import Manifest, children_of
from mirrors.oci.common.progress import ProgressCounter
from mirrors.oci.distribution.registry_client import RegistryClient
from mirrors.oci.transfer.compare import Comparer, Comparison
from mirrors.oci.transfer.kept_platforms import keep_platforms
from mirrors.oci.transfer.manifest_pushes import ManifestPushes
from mirrors.oci.transfer.plan import CopyPlan, Planner, is_present
from mirrors.oci.transfer.preconnect import Connections
from mirrors.oci.transfer.transfer_run import TransferRun


@dataclass(frozen=True, slots=True)
class ImageCopy:
    shared: Shared
    request: CopyRequest
    call: Call
    counter: ProgressCounter
    source: RegistryClient = field(init=False)
    target: RegistryClient = field(init=False)
    small: Executor = field(init=False)
    comparer: Comparer = field(init=False)
    blobs: BlobTransfers = field(init=False)
    pushes: ManifestPushes = field(init=False)

    def __post_init__(self) -> None:
        request, wire = self.request, self.shared.wire
        if self.shared.traits.is_doubtful((request.target.registry, request.target.repository)):
            request = replace(request, target_is_new=True)
            object.__setattr__(self, "request", request)
        object.__setattr__(self, "source", RegistryClient(wire, request.source_access, self.call))
        object.__setattr__(self, "target", RegistryClient(wire, request.target_access, self.call, is_target=True))
        object.__setattr__(self, "small", PoolShare(self.shared.small, wire.settings.requests_per_image))
        object.__setattr__(
            self, "comparer", Comparer(request, self.source, self.target, self.call, self.small, self.shared.traits)
        )
        object.__setattr__(self, "blobs", BlobTransfers(self.shared, request, self.call, self.counter))
        object.__setattr__(self, "pushes", ManifestPushes(request, self.target, self.comparer, self.blobs))

    def run(self) -> CopyResult:
        """Copy the image. Raises RegistryError or CopyCancelledError."""
        settings = self.shared.wire.settings
        self.shared.wire.gate.widen(
            self.request.target.registry, bulk=settings.blobs, small=MAX_TARGET_REQUESTS_BESIDE_BLOBS
        )
        try:
            return self._run()
        except RegistryError as error:
            self.call.cancel()
            if self.call.has_timed_out:
                raise self._took_too_long() from error
            raise
        except BaseException:
            self.call.cancel()
            raise

    def _run(self) -> CopyResult:
        source, target = self.request.source, self.request.target
        connections = Connections(self.source, self.target, self.shared)
        connections.expect_copy()
        compared = self.comparer.compare()
        if compared.is_equal:
            assert compared.source is not None
            if self.request.subject:
                self._check_subject(self.comparer.send(self.target.get_manifest, target.repository, compared.tag))
            return self._result(compared.source.digest, compared.source.digest, compared.tag, unchanged=True)
        if (known := self._known(compared)) is not None:
            return self._result(*known, compared.tag, unchanged=True)
        if compared.present is None:
            connections.expect_manifests(compared.source)
        confirming, by_digest = self.comparer.confirm(compared), self._look_ahead(compared)
        original = self._get_original()
        manifest = original
        if source.digest is None:
            manifest = keep_platforms(original, self.request.platforms, host=source.registry)
        hidden = self.call.outcome(confirming, target.registry) if confirming else None
        present = compared.present or hidden
        plan = None
        unchanged = present is not None and present.digest == manifest.digest
        if not unchanged:
            looking = by_digest[manifest.digest] if manifest.digest in by_digest else self._look(manifest.digest)
            plan = self._copy(manifest, looking, denies_heads=hidden is not None, is_first=present is None)
            self.pushes.push_tag(compared.tag, manifest)
        self.counter.report(final=True)
        return self._result(
            original.digest,
            manifest.digest,
            compared.tag,
            unchanged=unchanged,
            platforms=manifest.platforms,
            foreign=tuple(dict.fromkeys(plan.foreign)) if plan else (),
            manifests=children_of(original),
        )

    def _known(self, compared: Comparison) -> tuple[str, str] | None:
        """Return the digests at both sides if an earlier copy with these platforms created the target's manifest from
        the source's, else None."""
        if compared.source is None or compared.present is None:
            return None
        found = compared.source.digest, compared.present.digest
        return found if found == self.request.known else None

    def _look_ahead(self, compared: Comparison) -> dict[str, Future[Descriptor | None] | None]:
        """Look up the source's manifest by digest at the target, which may have it under another tag, while the source
        is read. Return the lookup by digest."""
        if compared.source is None:
            return {}
        return {compared.source.digest: self._look(compared.source.digest)}

    def _look(self, digest: str) -> Future[Descriptor | None] | None:
        """Look up a manifest by digest at the target. Return None if no copy of it to the target is recorded: its
        content is then looked up one by one."""
        if self.request.target_is_new or not self.blobs.is_recorded(digest):
            return None
        return self.small.submit(is_present, self.target, self.request.target.repository, digest)

    def _get_original(self) -> Manifest:
        seen = self.request.seen
        original = seen if isinstance(seen, Manifest) else self._read_original()
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

    def _check_subject(self, found: Manifest) -> None:
        """Raise RegistryError if a list of referrers named this manifest, and it does not refer to the image."""
        if self.request.subject in ("", found.subject):
            return
        host = self.request.source.registry
        words = f"{host} lists {found.digest} as a referrer of {self.request.subject}, which it is not"
        raise RegistryError("invalid", words, host=host)

    def _copy(
        self, root: Manifest, looking: Future[Descriptor | None] | None, *, denies_heads: bool, is_first: bool
    ) -> CopyPlan | None:
        """Copy everything that `root` refers to; the caller pushes `root` itself. Return None if the target has `root`,
        as `looking` reports. `is_first`: the target has nothing under this tag."""
        request = self.request
        if looking is not None and self.call.outcome(looking, request.target.registry):
            return None
        is_sibling = request.source.registry == request.target.registry
        planner = Planner(
            self.source,
            request.source.repository,
            self.target,
            request.target.repository,
            self.shared.wire.settings,
            self.small,
            self.blobs.is_known,
            denies_heads,
            # A target without the tag seldom has the manifests. Docker Hub counts each manifest read as a pull.
            reads_all=request.target_is_new or (is_first and request.source.registry != DOCKER_HUB),
            # Within one registry, a mount makes the check unnecessary.
            check=None if request.target_is_new or is_sibling else partial(self.blobs.check, self.target, self.small),
            max_bytes=request.max_bytes,
        )
        plan = planner.plan(root)
        self.counter.expect(plan.blobs.values())
        TransferRun(self, plan, root).run()
        return plan

    def _took_too_long(self) -> RegistryError:
        seen, limit = self.counter.snapshot(), self.shared.wire.settings.copy_seconds
        words = (
            f"{self.request.source} was not copied within {limit:,.0f} s: {seen.bytes_copied:,} of "
            f"{seen.bytes_total:,} bytes were received, {seen.bytes_copied / limit:,.0f} a second. The next attempt "
            "keeps complete layers"
        )
        return RegistryError("timeout", words, host=self.request.source.registry)

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
        seen = self.counter.snapshot()
        return CopyResult(
            source_digest=source_digest,
            target_digest=target_digest,
            target_tag=tag,
            platforms=platforms,
            bytes_total=seen.bytes_total,
            bytes_copied=seen.bytes_copied,
            bytes_mounted=seen.bytes_mounted,
            bytes_skipped=seen.bytes_skipped,
            unchanged=unchanged,
            foreign=foreign,
            unlisted=tuple(self.pushes.unlisted),
            manifests=manifests,
        )
