"""Runs the transfers of one copy, and pushes the manifests that wait for them."""

from __future__ import annotations

from concurrent.futures import FIRST_COMPLETED, Future, wait
from typing import TYPE_CHECKING, Any

from mirrors.oci.common.calls import POLL_SECONDS
from mirrors.oci.common.descriptors import Descriptor
from mirrors.oci.common.manifests import Manifest
from mirrors.oci.transfer.plan import CopyPlan, Part

if TYPE_CHECKING:
    from mirrors.oci.transfer.copy import ImageCopy


class TransferRun:
    """The blobs in transfer, and manifests that wait for them. Runs on the image's own thread, which reports and
    polls."""

    def __init__(self, copy: ImageCopy, plan: CopyPlan, root: Manifest) -> None:
        self._copy = copy
        self._plan = plan
        self._missing = {m.digest: plan.needs(m) for m in plan.manifests.values() if m is not root}
        self._running: dict[Future[Any], tuple[Part, bool]] = {}

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
        ticket = self._copy.blobs.start(blob, self._plan.checks.pop(blob.digest, None))
        self._running[ticket.future] = (Part("blob", blob.digest), ticket.is_owner)

    def _push_ready(self) -> None:
        ready = [digest for digest, missing in self._missing.items() if not missing]
        for digest in ready:
            del self._missing[digest]
            manifest = self._plan.manifests[digest]
            future = self._copy.request_pool.submit(self._copy.pushes.push, digest, manifest)
            self._running[future] = (Part("manifest", digest), True)

    def _finish(self, future: Future[Any]) -> None:
        part, is_owner = self._running.pop(future)
        blob = self._plan.blobs[part.digest] if part.kind == "blob" else None
        if blob is not None and not is_owner and future.exception() is not None:
            self._start_blob(blob)
            return
        method = future.result()
        if blob is not None:
            self._copy.counter.finish(blob, method if is_owner else "skipped")
        for missing in self._missing.values():
            missing.discard(part)
