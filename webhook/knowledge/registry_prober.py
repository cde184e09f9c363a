"""Questions to registries: one HEAD an image at a time, shared by all who wait, and a breaker a host.

Three answers: present, absent, unknown (network, authentication, 5xx). Unknown is never taken for absent.
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
"""Seconds for a HEAD at a registry: they usually answer within 0.3, and the pod waits."""

PROBER_THREADS: Final = 16
"""Threads for questions that a pod waits for; each is at a registry for milliseconds."""

LATER_THREADS: Final = 4
"""Threads for questions that nobody waits for, so that they never hold up the others."""

MOST_UNDER_WAY: Final = 500
"""Images that are asked for at the same time, those that wait for a thread included: so many that somebody waits for,
and so many that nobody does."""

ANSWERS_REMEMBERED_FOR: Final = {"present": 5.0, "absent": 5.0, "unknown": 0.5}
"""Seconds for which an answer is given again without asking."""

MOST_ANSWERS: Final = 20_000
"""Answers that a process remembers, some MB; after ``ANSWERS_REMEMBERED_FOR`` they are of no use."""

REGISTRY_AWAY: Final = frozenset({"unavailable", "timeout", "rate-limited", "credential"})

TimedHead = Callable[[ImageRef, RegistryAccess, float, bool], Descriptor | None]


@dataclass(frozen=True, slots=True)
class ProbeAnswer:
    """``state`` is present, absent or unknown; ``away`` says that nobody was there to answer. Times are monotonic:
    of the question, since when the target may have changed, and of the answer."""

    state: str
    digest: str = ""
    away: bool = False
    asked_at: float = 0.0
    at: float = 0.0


class RegistryProber:
    """Asks registries, each image once at a time."""

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
        """A future of the registry's answer; at once where it was asked a short time ago, or rests.

        ``later`` is for what nobody waits for; it is in nobody's way. ``confirm`` is for what is known to be there: a
        GET settles what a HEAD denies, as some registries answer the one and not the other.
        """
        key = (ref, bool(access.credentials))
        if remembered := self._remembered(key):
            return _done(remembered)
        with self._lock:
            if (future := self._shared(key, later=later)) is not None:
                return future
            # Looked at again: it may have been answered since.
            if remembered := self._remembered(key):
                return _done(remembered)
            pool, under_way = (self._later, self._later_under_way) if later else (self._pool, self._under_way)
            if self.breaker.is_open(ref.registry) or len(under_way) >= MOST_UNDER_WAY:
                return _done(ProbeAnswer("unknown", away=True))
            future = under_way[key] = pool.submit(self._answer, key, access, under_way, confirm)
            return future

    def _shared(self, key: tuple[ImageRef, bool], *, later: bool) -> Future[ProbeAnswer] | None:
        """The question that is under way already. Nobody waits behind those that nobody waits for: one of them that
        has no thread yet is asked by the review that waits, and finds the answer there."""
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
            return ProbeAnswer("unknown", away=True, at=time.monotonic())
        asked_at = time.monotonic()
        try:
            descriptor = self._head(ref, access, HEAD_TIMEOUT, confirm)
        except RegistryError as error:
            log.info("The check for an image at a registry failed", image=str(ref), error=str(error))
            answer = ProbeAnswer("unknown", away=error.code in REGISTRY_AWAY, at=time.monotonic())
            if not answer.away:
                # It answers, and at once; a private image among public ones must not shut its host.
                self.breaker.note(ref.registry, "answered")
                return answer
        except Exception:
            log.exception("An error occurred while a registry was checked for an image", image=str(ref))
            answer = ProbeAnswer("unknown", at=time.monotonic())
        else:
            state = "present" if descriptor else "absent"
            digest = descriptor.digest if descriptor else ""
            answer = ProbeAnswer(state, digest, asked_at=asked_at, at=time.monotonic())
        self.breaker.note(ref.registry, answer.state)
        return answer


def _done(answer: ProbeAnswer) -> Future[ProbeAnswer]:
    future: Future[ProbeAnswer] = Future()
    future.set_result(answer)
    return future
