"""The door to the engine: look at an image, copy an image. One engine a process, made after fork."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

from mirrors.images import ImageRef
from mirrors.oci.blobs.blob_transfers import Shared
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
    """Thread-safe. Holds the connections, tokens, gates and pools that all images share; threads start when needed.

    `on_request(method, host, status)` hears of every exchange, with status 0 where no answer came;
    `on_remaining(host, limit, username)` of each registry that reports how many pulls it still allows. Both from any
    thread.
    `budgets` is what this process may send to each host; without them only slots and pauses bound it.
    `index_leases` keep other processes from writing the same index of referrers at the same time.
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
        self._wire = HttpContext(self._transport, Authenticator(self._transport), gate, settings, budgets, on_remaining)
        self._blobs = FairPool(settings.blobs, name="oci-blob")
        self._small_blobs = FairPool(settings.blobs, name="oci-small-blob")
        # Enough for the share of each image; threads start when they are needed.
        self._small = ThreadPoolExecutor(
            settings.images * settings.requests_per_image, thread_name_prefix="oci-manifest"
        )
        board = SharedTransfers(self._blobs, self._small_blobs)
        self._shared = Shared(self._wire, board, self._small, mounts or MemoryMounts(), TargetTraits())
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
        """What the registry has under this reference; None only when it says 404.

        With `confirm` a GET settles what a HEAD denies: some registries refuse the one and answer the other. `timeout`
        (seconds) bounds the whole call: name look-up, waiting for a slot, tokens, retries and the reply. `exchanges`
        gets the requests that are sent for it, as in all that follow.
        Raises RegistryError for everything else, also where looking is forbidden.
        """
        call = self._call(timeout, None, exchanges)
        return RegistryClient(self._wire, access, call).head_manifest(
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
        """The image's manifest, asked for as a node does: a registry that pulls through fetches the image for that.

        Raises RegistryError, `not-found` where it has no such image.
        """
        call = self._call(None, cancelled, exchanges)
        return RegistryClient(self._wire, access, call).get_manifest(ref.repository, ref.manifest_reference)

    def read(self, ref: ImageRef, access: RegistryAccess, *, exchanges: ExchangeLog | None = None) -> Manifest | None:
        """What `head` looks for, by a GET that a copy need not repeat (`CopyRequest.seen`); None only for a 404.

        Raises RegistryError for everything else, also for a manifest that cannot be copied.
        """
        try:
            return self.pull(ref, access, exchanges=exchanges)
        except RegistryError as error:
            if error.code != "not-found":
                raise
            return None

    def probe(self, access: RegistryAccess) -> Probe:
        """Questions to one registry, for people who want to know whether it can be used."""
        return Probe(self._wire, access, self._closed.is_set)

    def copy(
        self,
        request: CopyRequest,
        *,
        progress: Callable[[Progress], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
        exchanges: ExchangeLog | None = None,
    ) -> CopyResult:
        """Copies one image on the calling thread, its blobs on the engine's pool.

        `progress` (at most twice a second, and once at the end) and `cancelled` are called on this thread only.
        Raises RegistryError, and CopyCancelledError soon after `cancelled` turns true or the engine is closed.
        """
        call = self._call(self.settings.copy_seconds, cancelled, exchanges)
        counter = ProgressCounter(progress, self.settings.progress_interval)
        try:
            return ImageCopy(self._shared, request, call, counter).run()
        except Exception:
            if self._closed.is_set():
                # Whatever it was that broke, it broke because its connections and pools were taken away.
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
        """Copies what refers to an image that `request` was copied by, on the calling thread.

        Errors are problems in the result. Raises CopyCancelledError soon after `cancelled` turns true or the engine is
        closed.
        """
        if policy == "none":
            return ReferrersResult()
        call = self._call(self.settings.referrers_seconds, cancelled, exchanges)
        result = ReferrersCopy(self._shared, self._indexes, request, image, policy, call).run()
        if self._closed.is_set():
            raise CopyCancelledError
        return result

    def _call(self, timeout: float | None, cancelled: Callable[[], bool] | None, exchanges: ExchangeLog | None) -> Call:
        """One that ends with the engine too."""
        return Call(
            timeout=timeout,
            cancelled=lambda: self._closed.is_set() or (cancelled is not None and cancelled()),
            exchanges=exchanges,
        )

    def resume(self, hosts: Iterable[str]) -> None:
        """Ends long pauses of these hosts, which others keep account of beside this engine."""
        for host in hosts:
            self._wire.gate.resume(host)

    def pause(self, host: str, seconds: float) -> None:
        """No requests to this host for so long: another process was asked to wait."""
        self._wire.gate.pause(host, seconds)

    def end_pause(self, host: str) -> None:
        """Ends any pause of the host, also for requests that wait for it now."""
        self._wire.gate.end_pause(host)

    def close(self) -> None:
        """Ends what is running, in the middle of a transfer too, and lets go of all connections. Does not wait."""
        self._closed.set()
        self._blobs.shutdown()
        self._small_blobs.shutdown()
        self._small.shutdown(wait=False, cancel_futures=True)
        self._transport.close()
