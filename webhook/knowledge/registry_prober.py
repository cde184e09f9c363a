"""Checks of images at registries: one HEAD request per image at a time, shared by all reviews, and a circuit breaker
per host.

There are three results: present, absent, unknown (network, authentication, 5xx). Unknown never counts as absent.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

import structlog

from mirrors.images import ImageRef
from mirrors.oci import Descriptor, RegistryAccess, RegistryError
from swapper_project.process.monitoring import metrics
from webhook.database.lru_cache import LRUCache
from webhook.knowledge.circuit_breaker import BREAKER_REST, CircuitBreaker

log = structlog.get_logger(__name__)

HEAD_TIMEOUT: Final = 1.5
"""The timeout of a HEAD request in seconds. Registries usually respond within 0.3 s, and the pod waits."""

PROBER_THREADS: Final = 16
"""Threads for requests that a pod waits for; each request takes milliseconds."""

LATER_THREADS: Final = 4
"""Threads for requests that no pod waits for, so that they never delay the others."""

MOST_CONCURRENT_CHECKS: Final = 500
"""The maximum number of images that are checked at the same time, including those that wait for a thread. The limit
applies separately to checks that a pod waits for and to those that no pod waits for."""

RESULTS_REMEMBERED_FOR: Final = {"present": 5.0, "absent": 5.0, "unknown": 0.5}
"""Seconds for which a result is reused without another request."""

MOST_PROBE_RESULTS: Final = 20_000
"""The maximum number of remembered results (a few MB); after ``RESULTS_REMEMBERED_FOR`` seconds they are useless."""

REGISTRY_UNAVAILABLE: Final = frozenset({"unavailable", "timeout", "rate-limited", "credential"})

TimedHead = Callable[[ImageRef, RegistryAccess, float, bool], Descriptor | None]


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """The result of a check. ``state`` is present, absent or unknown; ``unavailable``: the registry was unavailable.
    Times are monotonic: ``requested_at`` is that of the request, after which the target may have changed, ``at`` that
    of the result.
    """

    state: str
    digest: str = ""
    unavailable: bool = False
    requested_at: float = 0.0
    at: float = 0.0


class RegistryProber:
    """Checks images at registries, with one request per image at a time."""

    def __init__(self, head: TimedHead, *, breaker_rest: float = BREAKER_REST) -> None:
        self._head = head
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(PROBER_THREADS, thread_name_prefix="existence")
        self._later = ThreadPoolExecutor(LATER_THREADS, thread_name_prefix="existence-later")
        self._in_progress: dict[tuple[ImageRef, bool], Future[ProbeResult]] = {}
        self._later_in_progress: dict[tuple[ImageRef, bool], Future[ProbeResult]] = {}
        self._results: LRUCache[tuple[ImageRef, bool], ProbeResult] = LRUCache(MOST_PROBE_RESULTS)
        self.breaker = CircuitBreaker(breaker_rest)

    def check(
        self, ref: ImageRef, access: RegistryAccess, *, later: bool = False, confirm: bool = False
    ) -> Future[ProbeResult]:
        """Return a future of the registry's answer. It is done immediately if there is a recent result, or if the
        host's breaker is open.

        ``later``: no review waits for the result, and the check does not delay others. ``confirm`` is for images that
        were present: if HEAD does not find the image, a GET decides, because some registries support only GET.
        """
        key = (ref, bool(access.credentials))
        if recent := self._recent_result(key):
            return _completed(recent)
        with self._lock:
            if (future := self._check_in_progress(key, later=later)) is not None:
                return future
            # Check again: the result may have arrived in the meantime.
            if recent := self._recent_result(key):
                return _completed(recent)
            pool, in_progress = (self._later, self._later_in_progress) if later else (self._pool, self._in_progress)
            if self.breaker.is_open(ref.registry) or len(in_progress) >= MOST_CONCURRENT_CHECKS:
                return _completed(ProbeResult("unknown", unavailable=True))
            future = in_progress[key] = pool.submit(self._run_check, key, access, in_progress, confirm)
            return future

    def _check_in_progress(self, key: tuple[ImageRef, bool], *, later: bool) -> Future[ProbeResult] | None:
        """Return the check of this image that is already in progress, or None.

        A review does not wait for a ``later`` check that has no thread yet: the review starts its own check, and the
        ``later`` one reuses the result.
        """
        future = self._later_in_progress.get(key)
        if future is not None and (later or future.running()):
            return future
        return self._in_progress.get(key)

    def _recent_result(self, key: tuple[ImageRef, bool]) -> ProbeResult | None:
        result = self._results.get(key)
        is_recent = result is not None and time.monotonic() - result.at < RESULTS_REMEMBERED_FOR[result.state]
        return result if is_recent else None

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._later.shutdown(wait=False, cancel_futures=True)

    def _run_check(
        self,
        key: tuple[ImageRef, bool],
        access: RegistryAccess,
        in_progress: dict[tuple[ImageRef, bool], Future[ProbeResult]],
        confirm: bool,
    ) -> ProbeResult:
        try:
            if recent := self._recent_result(key):
                return recent
            result = self._probe(key[0], access, confirm)
            metrics.EXISTENCE_LOOKUPS.labels(result.state, "registry").inc()
            self._results.put(key, result)
            return result
        finally:
            with self._lock:
                in_progress.pop(key, None)

    def _probe(self, ref: ImageRef, access: RegistryAccess, confirm: bool) -> ProbeResult:
        if not self.breaker.allows_request(ref.registry):
            return ProbeResult("unknown", unavailable=True, at=time.monotonic())
        requested_at = time.monotonic()
        try:
            descriptor = self._head(ref, access, HEAD_TIMEOUT, confirm)
        except RegistryError as error:
            log.info("The check for an image at a registry failed", image=str(ref), error=str(error))
            result = ProbeResult("unknown", unavailable=error.code in REGISTRY_UNAVAILABLE, at=time.monotonic())
            if not result.unavailable:
                # The host responds. A private image among public ones must not open its breaker.
                self.breaker.record(ref.registry, "answered")
                return result
        except Exception:
            log.exception("An error occurred while a registry was checked for an image", image=str(ref))
            result = ProbeResult("unknown", at=time.monotonic())
        else:
            state = "present" if descriptor else "absent"
            digest = descriptor.digest if descriptor else ""
            result = ProbeResult(state, digest, requested_at=requested_at, at=time.monotonic())
        self.breaker.record(ref.registry, result.state)
        return result


def _completed(result: ProbeResult) -> Future[ProbeResult]:
    future: Future[ProbeResult] = Future()
    future.set_result(result)
    return future
