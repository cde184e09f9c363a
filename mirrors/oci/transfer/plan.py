"""Plans what has to be copied: walks an index down to its blobs, and stops at manifests that the target already has."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor, Future
from contextlib import nullcontext
from dataclasses import dataclass, field
from threading import BoundedSemaphore
from typing import Final, Literal, NamedTuple

from mirrors.oci.blobs.blob_checks import BlobCheck
from mirrors.oci.common.descriptors import Descriptor
from mirrors.oci.common.engine_settings import (
    GIB,
    MAX_IMAGE_BLOBS,
    MAX_IMAGE_MANIFEST_BYTES,
    MAX_IMAGE_MANIFESTS,
    MAX_MANIFEST_BYTES,
    MIB,
    EngineSettings,
)
from mirrors.oci.common.errors import RegistryError
from mirrors.oci.common.manifests import Manifest
from mirrors.oci.distribution.registry_client import RegistryClient

USUAL_MANIFEST_BYTES: Final = MIB
"""Manifests whose descriptor specifies a larger size, or none, are read a few at a time. Others are not read beyond
this size."""

_LARGE_READS: Final = BoundedSemaphore(4)

_Loaded = Manifest | Descriptor | None
"""The result for one child: None if the target has it, the descriptor if the source has it as a blob only."""


class Part(NamedTuple):
    """A part of an image. One digest may be both kinds, because registries store manifests and blobs separately."""

    kind: Literal["manifest", "blob"]
    digest: str


@dataclass(slots=True)
class CopyPlan:
    """Manifests by digest, and the blobs they need, each once. Manifests that are missing from `manifests` are at the
    target. `checks` find out whether the target has a blob, while other manifests are read."""

    manifests: dict[str, Manifest] = field(default_factory=dict)
    blobs: dict[str, Descriptor] = field(default_factory=dict)
    manifest_bytes: int = 0
    foreign: list[str] = field(default_factory=list)
    checks: dict[str, BlobCheck] = field(default_factory=dict)

    def needs(self, manifest: Manifest) -> set[Part]:
        """Return the parts that must be at the target before this manifest can be pushed."""
        digests = {child.digest for child in manifest.children}
        return (
            {Part("manifest", digest) for digest in digests if digest in self.manifests}
            | {Part("blob", digest) for digest in digests - self.manifests.keys() if digest in self.blobs}
            | {Part("blob", blob.digest) for blob in manifest.blobs}
        )

    def largest_first(self) -> list[Descriptor]:
        return sorted(self.blobs.values(), key=lambda blob: blob.size or 0, reverse=True)

    @property
    def blob_bytes(self) -> int:
        return sum(blob.size or 0 for blob in self.blobs.values())


@dataclass(frozen=True, slots=True)
class Planner:
    """Reads manifests from the source, those of one level concurrently. `request_pool` is a pool for short requests;
    `is_trusted(digest)` returns whether content of the target counts; `denies_heads` means that a HEAD of the target is
    not trusted; `reads_all` means that manifests are read from the source without a lookup at the target; `check`
    starts to check for the blobs of a manifest at the target as soon as the manifest is read, None for no check;
    `max_bytes` limits the blobs of a referrer, None for an image."""

    source: RegistryClient
    source_repository: str
    target: RegistryClient
    target_repository: str
    settings: EngineSettings
    request_pool: Executor
    is_trusted: Callable[[str], bool]
    denies_heads: bool = False
    reads_all: bool = False
    check: Callable[[Sequence[Descriptor]], Iterable[BlobCheck]] | None = None
    max_bytes: int | None = None

    def plan(self, root: Manifest) -> CopyPlan:
        """Return the plan for an image. Raises RegistryError, `too-large` for an image beyond the limits."""
        plan = CopyPlan()
        try:
            self._walk(plan, root)
        except BaseException:
            for check in plan.checks.values():
                check.close()
            raise
        return plan

    def _walk(self, plan: CopyPlan, root: Manifest) -> None:
        deadline = time.monotonic() + self.settings.plan_seconds
        seen = {root.digest}
        self._add(plan, root)
        level = [root]
        while level:
            children = {c.digest: c for manifest in level for c in manifest.children if c.digest not in seen}
            seen.update(children)
            if len(seen) > MAX_IMAGE_MANIFESTS:
                raise self._too_large(f"more than {MAX_IMAGE_MANIFESTS} manifests")
            level = self._load_all(plan, children.values(), deadline)

    def _load_all(self, plan: CopyPlan, children: Iterable[Descriptor], deadline: float) -> list[Manifest]:
        load = self._read if self.reads_all else self._read_if_missing
        waiting, level = deque(children), []
        pending: deque[tuple[Descriptor, Future[_Loaded]]] = deque()
        while waiting or pending:
            # No more are submitted than run at a time, because manifests that are read but not counted yet take memory.
            while waiting and len(pending) < self.settings.requests_per_image:
                child = waiting.popleft()
                pending.append((child, self.request_pool.submit(load, child)))
            child, future = pending.popleft()
            loaded = self.source.call.wait_for(future, self.source.access.host)
            if time.monotonic() > deadline:
                raise self._too_slow()
            if isinstance(loaded, Manifest):
                self._add(plan, loaded)
                level.append(loaded)
            elif loaded is not None:
                plan.blobs.setdefault(child.digest, loaded)
        return level

    def _read_if_missing(self, child: Descriptor) -> _Loaded:
        return None if self._is_at_target(child) else self._read(child)

    def _read(self, child: Descriptor) -> _Loaded:
        """Read a child from the source. Return its descriptor if the source has it as a blob only (build caches)."""
        is_large = child.size is None or child.size > USUAL_MANIFEST_BYTES
        try:
            with _LARGE_READS if is_large else nullcontext():
                return self.source.get_manifest(
                    self.source_repository,
                    child.digest,
                    child.media_type,
                    max_bytes=MAX_MANIFEST_BYTES if is_large else USUAL_MANIFEST_BYTES,
                )
        except RegistryError as error:
            if error.code == "not-found" and self._is_blob(child):
                return child
            raise

    def _is_blob(self, child: Descriptor) -> bool:
        return self.source.has_blob(self.source_repository, child.digest, confirm=True)

    def _is_at_target(self, child: Descriptor) -> bool:
        reference, media_type = child.digest, child.media_type
        if not self.is_trusted(reference):
            return False
        descriptor = find_by_head(self.target, self.target_repository, reference, media_type, confirm=self.denies_heads)
        return descriptor is not None

    def _add(self, plan: CopyPlan, manifest: Manifest) -> None:
        plan.manifests[manifest.digest] = manifest
        plan.manifest_bytes += len(manifest.raw)
        plan.foreign += manifest.foreign
        for blob in manifest.blobs:
            plan.blobs.setdefault(blob.digest, blob)
        if plan.manifest_bytes > MAX_IMAGE_MANIFEST_BYTES:
            raise self._too_large(f"more than {MAX_IMAGE_MANIFEST_BYTES} bytes of manifests")
        if len(plan.blobs) > MAX_IMAGE_BLOBS:
            raise self._too_large(f"more than {MAX_IMAGE_BLOBS} blobs")
        if self.max_bytes is not None and plan.blob_bytes > self.max_bytes:
            raise self._too_large(f"more than the {self.max_bytes / MIB:.3g} MiB that are allowed for a referrer")
        if plan.blob_bytes > self.settings.max_image_bytes:
            raise self._too_large(
                f"more than the {self.settings.max_image_bytes / GIB:.3g} GiB that copy.maxImageBytes allows: "
                "raise it, or exclude the image with a filter",
                says_step=True,
            )
        if self.check is not None:
            new = {blob.digest: blob for blob in manifest.blobs if blob.digest not in plan.checks}
            for digest, check in zip(new, self.check(list(new.values())), strict=True):
                plan.checks[digest] = check

    def _too_slow(self) -> RegistryError:
        host = self.source.access.host
        message = (
            f"reading the manifests of {host}/{self.source_repository} took over {self.settings.plan_seconds:.0f} s"
        )
        return RegistryError("timeout", message, host=host)

    def _too_large(self, what: str, *, says_step: bool = False) -> RegistryError:
        host = self.source.access.host
        return RegistryError(
            "too-large", f"the image {host}/{self.source_repository} has {what}", host=host, says_step=says_step
        )


def find_by_head(
    client: RegistryClient, repository: str, reference: str, media_type: str = "", *, confirm: bool = False
) -> Descriptor | None:
    """Look up a manifest by a HEAD. Return None also if the lookup is forbidden, because the push will decide."""
    return _unless_forbidden(lambda: client.head_manifest(repository, reference, media_type, confirm=confirm))


def find_by_get(client: RegistryClient, repository: str, reference: str) -> Descriptor | None:
    """Look up a manifest by a GET, after a HEAD has denied it. Otherwise the same as `find_by_head`."""
    return _unless_forbidden(lambda: client.read_descriptor(repository, reference))


def _unless_forbidden(lookup: Callable[[], Descriptor | None]) -> Descriptor | None:
    try:
        return lookup()
    except RegistryError as error:
        if is_refusal(error):
            return None
        raise


def is_refusal(error: RegistryError) -> bool:
    """Return whether the registry refuses to show what it has."""
    return error.code in {"denied", "unsupported"}
