"""Compares what source and target have under a reference. Both are requested at the same time."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, Future
from dataclasses import dataclass, replace
from typing import Literal, ParamSpec, TypeVar

from mirrors.images import pinned_tag
from mirrors.oci.blobs.target_traits import TargetTraits
from mirrors.oci.common.calls import Call
from mirrors.oci.common.copy_request import CopyRequest
from mirrors.oci.common.descriptors import Descriptor
from mirrors.oci.common.errors import RegistryError
from mirrors.oci.common.manifests import Manifest
from mirrors.oci.distribution.registry_client import RegistryClient
from mirrors.oci.transfer.plan import find_by_get, is_refusal

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Comparison:
    """The result of a comparison. `tag` is the tag to set at the target; `present` is the manifest that the target has
    under it. None is in `doubt` until a GET decides: a HEAD reported that the tag is missing, or was refused."""

    tag: str
    present: Descriptor | None
    source: Descriptor | None
    doubt: Literal["", "missing", "refused"] = ""

    @property
    def is_equal(self) -> bool:
        return self.source is not None and self.present is not None and self.source.digest == self.present.digest


@dataclass(frozen=True, slots=True)
class Comparer:
    """Compares source and target of one image. `request_pool` runs short requests that the image's own thread waits
    for."""

    request: CopyRequest
    source: RegistryClient
    target: RegistryClient
    call: Call
    request_pool: Executor
    traits: TargetTraits

    def compare(self) -> Comparison:
        """Look up the image at both sides at the same time. A source that is pinned by digest needs no lookup. Neither
        does a source whose tag the target lacks as expected, because it is read next in any case."""
        source = self.request.source
        if self.request.subject and source.digest is not None:
            return self._look_up_target(source.digest, Descriptor(source.digest, "", None))
        if source.digest is not None:
            return self._compare_pinned(source.digest)
        assert source.tag is not None
        if (prefetched := self.request.prefetched) is not None:
            return self._look_up_target(
                source.tag, prefetched.descriptor if isinstance(prefetched, Manifest) else prefetched
            )
        expects_tag = self.traits.expects_tag(self.target.access.host)
        lookup = self.request_pool.submit(self._head_source) if expects_tag else None
        comparison = self._look_up_target(source.tag, None)
        self.traits.record_tag_lookup(self.target.access.host, exists=comparison.present is not None)
        if lookup is None:
            if comparison.doubt == "missing":
                return comparison
            lookup = self.request_pool.submit(self._head_source)
        return replace(comparison, source=self.call.wait_for(lookup, source.registry))

    def _compare_pinned(self, digest: str) -> Comparison:
        """Use the reference's own tag if it is free or already right, else a tag that belongs only to this digest: a
        pinned reference never moves a tag."""
        source = Descriptor(digest, "", None)
        target, tag = self.request.target, self.request.source.tag
        if tag is not None:
            try:
                present = self.send(self.target.head_manifest, target.repository, tag, confirm=True)
                if present is None or present.digest == digest:
                    return Comparison(tag, present, source)
            except RegistryError as error:
                if error.code != "denied":
                    raise
        digest_tag = pinned_tag(tag, digest)
        return self._look_up_target(digest_tag, source)

    def confirm(self, comparison: Comparison) -> Future[Descriptor | None] | None:
        """Start a GET for a tag that the target denied to a HEAD, while the source is read. None if there is no
        doubt."""
        if not comparison.doubt or self.request.target_is_new:
            return None
        return self.request_pool.submit(self._confirm, comparison)

    def _confirm(self, comparison: Comparison) -> Descriptor | None:
        if comparison.doubt == "missing" and self.traits.supports_heads(self.target):
            return None
        return find_by_get(self.target, self.request.target.repository, comparison.tag)

    def send(self, request: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Send a request on the pool and wait for it. This thread keeps checking whether the call is cancelled."""
        return self.call.wait_for(self.request_pool.submit(request, *args, **kwargs), self.request.source.registry)

    def look_up(self, reference: str) -> Descriptor | None:
        return self._look_up_target(reference, None).present

    def _look_up_target(self, reference: str, source: Descriptor | None) -> Comparison:
        try:
            present = self.send(self.target.head_manifest, self.request.target.repository, reference)
        except RegistryError as error:
            if not is_refusal(error):
                raise
            return Comparison(reference, None, source, doubt="refused")
        return Comparison(reference, present, source, doubt="" if present else "missing")

    def _head_source(self) -> Descriptor | None:
        """Look up the source by a HEAD. Return None after any permanent error, because the GET that follows decides."""
        source = self.request.source
        try:
            return self.source.head_manifest(source.repository, source.manifest_reference)
        except RegistryError as error:
            if error.permanent:
                return None
            raise
