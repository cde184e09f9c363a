"""One image from source to target: compare, plan, move the blobs, push children before parents and the tag last."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ParamSpec, TypeVar

from mirrors.images import pinned_tag
from mirrors.oci.blob_board import BlobBoard
from mirrors.oci.blobs import BlobCopy
from mirrors.oci.calls import POLL_SECONDS, Call
from mirrors.oci.client import RegistryClient
from mirrors.oci.errors import RegistryError
from mirrors.oci.manifests import Descriptor, Manifest, keep_platforms
from mirrors.oci.mounts import MountIndex
from mirrors.oci.plan import Plan, Planner, is_present
from mirrors.oci.progress import Counter, Way
from mirrors.oci.requests import CopyRequest, CopyResult
from mirrors.oci.sender import Wire

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Shared:
    """What all copies of an engine use. `small` runs short requests; no task of any pool waits for another."""

    wire: Wire
    board: BlobBoard
    small: Executor
    mounts: MountIndex


@dataclass(frozen=True, slots=True)
class _Comparison:
    """`tag` is the one to set at the target; `present` what the target has under it."""

    tag: str
    present: Descriptor | None
    source: Descriptor | None


@dataclass(frozen=True, slots=True)
class ImageCopy:
    shared: Shared
    request: CopyRequest
    call: Call
    counter: Counter
    source: RegistryClient = field(init=False)
    target: RegistryClient = field(init=False)

    def __post_init__(self) -> None:
        request, wire = self.request, self.shared.wire
        object.__setattr__(self, "source", RegistryClient(wire, request.source_access, self.call))
        object.__setattr__(self, "target", RegistryClient(wire, request.target_access, self.call))

    def run(self) -> CopyResult:
        """Raises RegistryError or CopyCancelledError."""
        try:
            return self._run()
        except BaseException:
            self.call.cancel()
            raise

    def _run(self) -> CopyResult:
        source, target = self.request.source, self.request.target
        compared = self._compare()
        if compared.source and compared.present and compared.source.digest == compared.present.digest:
            return self._result(compared.source.digest, compared.source.digest, compared.tag, unchanged=True)
        original = self._ask(self.source.get_manifest, source.repository, source.manifest_reference)
        manifest = original
        if source.digest is None:
            manifest = keep_platforms(original, self.request.platforms, host=source.registry)
        unchanged = compared.present is not None and compared.present.digest == manifest.digest
        if not unchanged:
            self._copy(manifest)
            self._ask(self.target.put_manifest, target.repository, compared.tag, manifest)
        self.counter.report(final=True)
        return self._result(
            original.digest, manifest.digest, compared.tag, unchanged=unchanged, platforms=manifest.platforms
        )

    def _compare(self) -> _Comparison:
        """One look at each side, at the same time; a source that is pinned by digest needs none."""
        source = self.request.source
        if source.digest is not None:
            return self._compare_pinned(source.digest)
        assert source.tag is not None
        looking = self.shared.small.submit(self._head_source)
        present = self._look(source.tag)
        return _Comparison(source.tag, present, self.call.outcome(looking, source.registry))

    def _compare_pinned(self, digest: str) -> _Comparison:
        """The reference's own tag where that is free or right already; else one that belongs to this digest alone:
        a pinned reference never moves a tag."""
        wanted = Descriptor(digest, "", None)
        target, tag = self.request.target, self.request.source.tag
        if tag is not None:
            try:
                present = self._ask(self.target.head_manifest, target.repository, tag)
                if present is None or present.digest == digest:
                    return _Comparison(tag, present, wanted)
            except RegistryError as error:
                if error.code != "denied":
                    raise
        pinned = pinned_tag(tag, digest)
        return _Comparison(pinned, self._look(pinned), wanted)

    def _ask(self, request: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """A request that this thread waits for on its feet: it goes on looking at whether it is cancelled."""
        return self.call.outcome(self.shared.small.submit(request, *args, **kwargs), self.request.source.registry)

    def _look(self, reference: str) -> Descriptor | None:
        return self._ask(is_present, self.target, self.request.target.repository, reference)

    def _head_source(self) -> Descriptor | None:
        """None where a HEAD is forbidden: the GET will tell."""
        source = self.request.source
        try:
            found = self.source.head_manifest(source.repository, source.manifest_reference)
        except RegistryError as error:
            if error.code == "denied":
                return None
            raise
        if found is None:
            raise RegistryError(
                "not-found",
                f"{source} does not exist at the source; check the image's name and tag",
                host=source.registry,
            )
        return found

    def _copy(self, root: Manifest) -> None:
        """Everything that `root` refers to; `root` itself is left to the caller."""
        request = self.request
        if not request.target_is_new and self._look(root.digest):
            return
        planner = Planner(
            self.source,
            request.source.repository,
            self.target,
            request.target.repository,
            request.target_is_new,
            self.shared.wire.settings,
            self.shared.small,
        )
        plan = planner.plan(root)
        self.counter.expect(plan.blobs.values())
        _Moves(self, plan, root).run()

    def blob_task(self, blob: Descriptor) -> Callable[[Call], Way]:
        """The transfer of one blob, to be run under a call of its own: other images may come to wait for it."""
        request, shared = self.request, self.shared

        def transfer(call: Call) -> Way:
            copy = BlobCopy(
                wire=shared.wire,
                source=RegistryClient(shared.wire, request.source_access, call),
                source_repository=request.source.repository,
                target=RegistryClient(shared.wire, request.target_access, call),
                target_repository=request.target.repository,
                blob=blob,
                is_new_repository=request.target_is_new,
                mount_from=self._mount_from(blob),
                on_bytes=partial(self.counter.add, blob),
            )
            way = copy.run()
            shared.mounts.record(request.target.registry, blob.digest, request.target.repository)
            return way

        return transfer

    def _mount_from(self, blob: Descriptor) -> list[str]:
        target, source = self.request.target, self.request.source
        known = self.shared.mounts.find(target.registry, blob.digest)
        own = [source.repository] if source.registry == target.registry else []
        return [repository for repository in (*own, *known) if repository != target.repository]

    def _result(
        self, source_digest: str, target_digest: str, tag: str, *, unchanged: bool, platforms: tuple[str, ...] = ()
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
        )


class _Moves:
    """Blobs under way and manifests that wait for them. Runs on the image's own thread, which reports and polls."""

    def __init__(self, copy: ImageCopy, plan: Plan, root: Manifest) -> None:
        self._copy = copy
        self._plan = plan
        self._missing = {m.digest: plan.needs(m) for m in plan.manifests.values() if m is not root}
        self._running: dict[Future[Any], tuple[str, bool]] = {}

    def run(self) -> None:
        for blob in self._plan.largest_first():
            self._start_blob(blob)
        self._push_ready()
        while self._running:
            done, _ = wait(self._running, timeout=POLL_SECONDS, return_when=FIRST_COMPLETED)
            self._copy.call.check(self._copy.request.source.registry)
            for future in done:
                self._finish(future)
            self._push_ready()
            self._copy.counter.report()

    def _start_blob(self, blob: Descriptor) -> None:
        target = self._copy.request.target
        key = (target.registry, target.repository, blob.digest)
        ticket = self._copy.shared.board.join(key, self._copy.call, self._copy.blob_task(blob))
        self._running[ticket.future] = (blob.digest, ticket.is_owner)

    def _push_ready(self) -> None:
        ready = [digest for digest, missing in self._missing.items() if not missing]
        for digest in ready:
            del self._missing[digest]
            manifest = self._plan.manifests[digest]
            repository = self._copy.request.target.repository
            future = self._copy.shared.small.submit(self._copy.target.put_manifest, repository, digest, manifest)
            self._running[future] = (digest, True)

    def _finish(self, future: Future[Any]) -> None:
        digest, is_owner = self._running.pop(future)
        blob = self._plan.blobs.get(digest)
        if blob is not None and not is_owner and future.exception() is not None:
            self._start_blob(blob)
            return
        way = future.result()
        if blob is not None:
            self._copy.counter.finish(blob, way if is_owner else "skipped")
        for missing in self._missing.values():
            missing.discard(digest)
