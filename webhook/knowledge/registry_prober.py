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

MOST_UNDER_WAY: Final = 500
"""The maximum number of images that are checked at the same time, including those that wait for a thread. The limit
applies separately to checks that a pod waits for and to those that no pod waits for."""

ANSWERS_REMEMBERED_FOR: Final = {"present": 5.0, "absent": 5.0, "unknown": 0.5}
"""Seconds for which a result is reused without another request."""

MOST_ANSWERS: Final = 20_000
"""The maximum number of remembered results (a few MB); after ``ANSWERS_REMEMBERED_FOR`` seconds they are useless."""

REGISTRY_UNAVAILABLE: Final = frozenset({"unavailable", "timeout", "rate-limited", "credential"})

TimedHead = Callable[[ImageRef, RegistryAccess, float, bool], Descriptor | None]


@dataclass(frozen=True, slots=True)
class ProbeAnswer:
    """The result of a check. ``state`` is present, absent or unknown; ``unavailable``: the registry was unavailable.
    Times are monotonic: ``asked_at`` is that of the request, after which the target may have changed, ``at`` that of
    the result.
    """

    state: str
    digest: str = ""
    unavailable: bool = False
    asked_at: float = 0.0
    at: float = 0.0


class RegistryProber:
    """Checks images at registries, with one request per image at a time."""

    def __init__(self, head: TimedHead, *, breaker_rest: float = BREAKER_REST) -> None:
        self._head = head
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(PROBER_THREADS, thread_name_prefix="existence")
        self._later = ThreadPoolExecutor(LATER_THREADS, thread_name_prefix="existence-later")
        self._under_way: dict[tuple[ImageRef, bool], Future[ProbeAnswer]] = {}
        self._later_under_way: dict[tuple[ImageRef, bool], Future[ProbeAnswer]] = {}
        self._answers: LRUCache[tuple[ImageRef, bool], ProbeAnswer] = LRUCache(MOST_ANSWERS)
        self.breaker = CircuitBreaker(breaker_rest)

    def ask(
        self, ref: ImageRef, access: RegistryAccess, *, later: bool = False, confirm: bool = False
    ) -> Future[ProbeAnswer]:
        """Return a future of the registry's answer. It is done immediately if there is a recent result, or if the
        host's breaker is open.

        ``later``: no review waits for the result, and the check does not delay others. ``confirm`` is for images that
        were present: if HEAD does not find the image, a GET decides, because some registries support only GET.
        """
        key = (ref, bool(access.credentials))
        if remembered := self._remembered(key):
            return _done(remembered)
        with self._lock:
            if (future := self._shared(key, later=later)) is not None:
                return future
            # Check again: the result may have arrived in the meantime.
            if remembered := self._remembered(key):
                return _done(remembered)
            pool, under_way = (self._later, self._later_under_way) if later else (self._pool, self._under_way)
            if self.breaker.is_open(ref.registry) or len(under_way) >= MOST_UNDER_WAY:
                return _done(ProbeAnswer("unknown", unavailable=True))
            future = under_way[key] = pool.submit(self._answer, key, access, under_way, confirm)
            return future

    def _shared(self, key: tuple[ImageRef, bool], *, later: bool) -> Future[ProbeAnswer] | None:
        """Return the check of this image that is already in progress, or None.

        A review does not wait for a ``later`` check that has no thread yet: the review starts its own check, and the
        ``later`` one reuses the result.
        """
        future = self._later_under_way.get(key)
        if future is not None and (later or future.running()):
            return future
        return self._under_way.get(key)

    def _remembered(self, key: tuple[ImageRef, bool]) -> ProbeAnswer | None:
        answer = self._answers.get(key)
        is_recent = answer is not None and time.monotonic() - answer.at < ANSWERS_REMEMBERED_FOR[answer.state]
        return answer if is_recent else None

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._later.shutdown(wait=False, cancel_futures=True)

    def _answer(
        self,
        key: tuple[ImageRef, bool],
        access: RegistryAccess,
        under_way: dict[tuple[ImageRef, bool], Future[ProbeAnswer]],
        confirm: bool,
    ) -> ProbeAnswer:
        try:
            if remembered := self._remembered(key):
                return remembered
            answer = self._look(key[0], access, confirm)
            metrics.EXISTENCE_LOOKUPS.labels(answer.state, "registry").inc()
            self._answers.put(key, answer)
            return answer
        finally:
            with self._lock:
                under_way.pop(key, None)

    def _look(self, ref: ImageRef, access: RegistryAccess, confirm: bool) -> ProbeAnswer:
        if not self.breaker.may_ask(ref.registry):
            return ProbeAnswer("unknown", unavailable=True, at=time.monotonic())
        asked_at = time.monotonic()
        try:
            descriptor = self._head(ref, access, HEAD_TIMEOUT, confirm)
        except RegistryError as error:
            log.info("The check for an image at a registry failed", image=str(ref), error=str(error))
            answer = ProbeAnswer("unknown", unavailable=error.code in REGISTRY_UNAVAILABLE, at=time.monotonic())
            if not answer.unavailable:
                # The host responds. A private image among public ones must not open its breaker.
                self.breaker.record(ref.registry, "answered")
                return answer
        except Exception:
            log.exception("An error occurred while a registry was checked for an image", image=str(ref))
            answer = ProbeAnswer("unknown", at=time.monotonic())
        else:
            state = "present" if descriptor else "absent"
            digest = descriptor.digest if descriptor else ""
            answer = ProbeAnswer(state, digest, asked_at=asked_at, at=time.monotonic())
        self.breaker.record(ref.registry, answer.state)
        return answer


def _done(answer: ProbeAnswer) -> Future[ProbeAnswer]:
    future: Future[ProbeAnswer] = Future()
    future.set_result(answer)
    return future
