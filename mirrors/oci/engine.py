"""The interface of the copy engine: look up images, copy images and their referrers. Create one engine per process,
after the process has forked."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

from mirrors.images import ImageRef
from mirrors.oci.blobs.blob_transfers import SharedResources
from mirrors.oci.blobs.pools import FairPool
from mirrors.oci.blobs.shared_transfers import SharedTransfers
from mirrors.oci.blobs.target_traits import TargetTraits
from mirrors.oci.common.access import RegistryAccess
from mirrors.oci.common.calls import Call
from mirrors.oci.common.copy_request import CopyRequest, CopyResult
from mirrors.oci.common.descriptors import Descriptor
from mirrors.oci.common.engine_settings import EngineSettings
from mirrors.oci.common.errors import CopyCancelledError, RegistryError
from mirrors.oci.common.exchanges import ExchangeLog
from mirrors.oci.common.manifests import Manifest
from mirrors.oci.common.mount_index import MemoryMounts, MountIndex
from mirrors.oci.common.progress import Progress, ProgressCounter
from mirrors.oci.distribution.authenticator import Authenticator
from mirrors.oci.distribution.budgets import RequestBudgets
from mirrors.oci.distribution.registry_client import RegistryClient
from mirrors.oci.distribution.sender import HttpContext, OnRemaining
from mirrors.oci.distribution.throttle import Gate
from mirrors.oci.http.transport import OnRequest, Transport
from mirrors.oci.probe import Probe
from mirrors.oci.referrers.fallback_index import FallbackIndexes, IndexLeases
from mirrors.oci.referrers.kinds import ReferrerPolicy
from mirrors.oci.referrers.referrers_copy import ReferrersCopy
from mirrors.oci.referrers.referrers_result import ReferrersResult
from mirrors.oci.transfer.copy import ImageCopy


class Engine:
    """Looks up and copies images. Thread-safe. Holds the connections, tokens, gates and pools that all images share,
    and starts threads when they are needed.

    `on_request(method, host, status)` is called for every exchange, with status 0 if no response arrived.
    `on_remaining(host, limit, username)` is called for each response that states how many pulls the registry still
    allows. Both are called from any thread. `budgets` limit the requests that this process sends to each host; without
    them, only the slots, the pauses and `requests_per_second` of the settings do. `index_leases` keep other processes
    from writing the same index of referrers at the same time.
    """

    def __init__(
        self,
        settings: EngineSettings | None = None,
        *,
        mounts: MountIndex | None = None,
        on_request: OnRequest | None = None,
        on_remaining: OnRemaining | None = None,
        budgets: RequestBudgets | None = None,
        index_leases: IndexLeases | None = None,
    ) -> None:
        self.settings = settings = settings or EngineSettings()
        self._transport = Transport(settings, on_request)
        budgets = budgets or RequestBudgets()
        gate = Gate(
            settings.requests_per_host,
            inline_wait=settings.inline_wait,
            per_second=settings.requests_per_second,
            budgets=budgets,
        )
        self._http = HttpContext(self._transport, Authenticator(self._transport), gate, settings, budgets, on_remaining)
        self._blobs = FairPool(settings.blobs, name="oci-blob")
        self._small_blobs = FairPool(settings.blobs, name="oci-small-blob")
        # Enough for the share of each image. The executor starts its threads when they are needed.
        self._request_pool = ThreadPoolExecutor(
            settings.images * settings.requests_per_image, thread_name_prefix="oci-manifest"
        )
        transfers = SharedTransfers(self._blobs, self._small_blobs)
        self._shared = SharedResources(
            self._http, transfers, self._request_pool, mounts or MemoryMounts(), TargetTraits()
        )
        self._indexes = FallbackIndexes(index_leases)
        self._closed = threading.Event()

    def head(
        self,
        ref: ImageRef,
        access: RegistryAccess,
        *,
        timeout: float | None = None,
        confirm: bool = False,
        exchanges: ExchangeLog | None = None,
    ) -> Descriptor | None:
        """Return the descriptor of the manifest under this reference. Return None only if the registry responds with
        404, or with another digest than the one that the reference names.

        With `confirm`, a HEAD that is denied is checked by a GET, because some registries refuse HEAD requests and
        respond to GETs. `timeout` (seconds) bounds the whole call: name lookup, waiting for a slot, tokens, retries and
        the reply. `exchanges` records the requests that are sent, as in the methods below. Raises RegistryError for
        everything else, also if the lookup is forbidden.
        """
        call = self._call(timeout, None, exchanges)
        return RegistryClient(self._http, access, call).head_manifest(
            ref.repository, ref.manifest_reference, confirm=confirm
        )

    def pull(
        self,
        ref: ImageRef,
        access: RegistryAccess,
        *,
        cancelled: Callable[[], bool] | None = None,
        exchanges: ExchangeLog | None = None,
    ) -> Manifest:
        """Return the manifest of the image by the GET that a node sends too, so that a pull-through cache fetches the
        image.

        Raises RegistryError, `not-found` if the registry does not have the image.
        """
        call = self._call(None, cancelled, exchanges)
        return RegistryClient(self._http, access, call).get_manifest(ref.repository, ref.manifest_reference)

    def read(self, ref: ImageRef, access: RegistryAccess, *, exchanges: ExchangeLog | None = None) -> Manifest | None:
        """Return the manifest that `head` looks up, by a GET that a copy need not repeat (`CopyRequest.prefetched`).
        Return None only for a 404.

        Raises RegistryError for everything else, also for a manifest that cannot be copied.
        """
        try:
            return self.pull(ref, access, exchanges=exchanges)
        except RegistryError as error:
            if error.code != "not-found":
                raise
            return None

    def probe(self, access: RegistryAccess) -> Probe:
        """Return the checks that show users whether the registry can be used."""
        return Probe(self._http, access, self._closed.is_set)

    def copy(
        self,
        request: CopyRequest,
        *,
        progress: Callable[[Progress], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
        exchanges: ExchangeLog | None = None,
    ) -> CopyResult:
        """Copy one image on the calling thread, and its blobs on the engine's pool.

        `progress` (at most twice a second, and at the end of a transfer) and `cancelled` are called on this thread
        only. Raises RegistryError, and CopyCancelledError soon after `cancelled` returns True or the engine is closed.
        """
        call = self._call(self.settings.copy_seconds, cancelled, exchanges)
        counter = ProgressCounter(progress, self.settings.progress_interval)
        try:
            return ImageCopy(self._shared, request, call, counter).run()
        except Exception:
            if self._closed.is_set():
                # Closing the engine removed the connections and pools of the copy, which caused this error.
                raise CopyCancelledError from None
            raise

    def copy_referrers(
        self,
        request: CopyRequest,
        image: CopyResult,
        policy: ReferrerPolicy,
        *,
        cancelled: Callable[[], bool] | None = None,
        exchanges: ExchangeLog | None = None,
    ) -> ReferrersResult:
        """Copy the referrers of an image that `request` copied, on the calling thread.

        Errors are problems in the result. Raises CopyCancelledError soon after `cancelled` returns True or the engine
        is closed.
        """
        if policy == "none":
            return ReferrersResult()
        call = self._call(self.settings.referrers_seconds, cancelled, exchanges)
        result = ReferrersCopy(self._shared, self._indexes, request, image, policy, call).run()
        if self._closed.is_set():
            raise CopyCancelledError
        return result

    def _call(self, timeout: float | None, cancelled: Callable[[], bool] | None, exchanges: ExchangeLog | None) -> Call:
        """Return a call that is also cancelled when the engine is closed."""
        return Call(
            timeout=timeout,
            cancelled=lambda: self._closed.is_set() or (cancelled is not None and cancelled()),
            exchanges=exchanges,
        )

    def resume(self, hosts: Iterable[str]) -> None:
        """End the long pauses of these hosts, because the caller keeps its own record of pauses and found none."""
        for host in hosts:
            self._http.gate.resume(host)

    def pause(self, host: str, seconds: float) -> None:
        """Send no requests to this host for `seconds`, because another process was asked to wait."""
        self._http.gate.pause(host, seconds)

    def end_pause(self, host: str) -> None:
        """End any pause of the host, also for requests that are waiting for its end."""
        self._http.gate.end_pause(host)

    def close(self) -> None:
        """Stop all calls, even in the middle of a transfer, and close all connections. Does not wait for their end."""
        self._closed.set()
        self._blobs.shutdown()
        self._small_blobs.shutdown()
        self._request_pool.shutdown(wait=False, cancel_futures=True)
        self._transport.close()
