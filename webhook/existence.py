"""What registries say when asked: one HEAD an image at a time, shared by all who wait, and a breaker a host.

Three answers: present, absent, unknown (network, authentication, 5xx). Unknown is never taken for absent.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

import structlog

from mirrors.images import ImageRef
from mirrors.oci import Descriptor, RegistryAccess, RegistryError
from swapper_project import metrics
from webhook.memory import BoundedMap

log = structlog.get_logger(__name__)

HEAD_TIMEOUT: Final = 1.5
THREADS: Final = 16
REMEMBERED: Final = {"present": 5.0, "absent": 5.0, "unknown": 1.0}
"""Seconds for which an answer is given again without asking."""

BREAKER_ANSWERS: Final = 5
BREAKER_WINDOW: Final = 10.0
BREAKER_REST: Final = 30.0
MOST_HOSTS: Final = 1_000
AWAY: Final = frozenset({"unavailable", "timeout", "rate-limited", "credential"})

Head = Callable[[ImageRef, RegistryAccess, float], Descriptor | None]


@dataclass(frozen=True, slots=True)
class Answer:
    """``state`` is present, absent or unknown; ``away`` says that nobody was there to answer. Times are monotonic:
    of the question, since when the target may have changed, and of the answer."""

    state: str
    digest: str = ""
    away: bool = False
    asked_at: float = 0.0
    at: float = 0.0


class Breaker:
    """Opens for a host that gave five unknown answers in ten seconds."""

    def __init__(self, rest: float) -> None:
        self._rest = rest
        self._lock = threading.Lock()
        self._failures: dict[str, deque[float]] = {}
        self._open_until: dict[str, float] = {}

    def is_open(self, host: str) -> bool:
        with self._lock:
            return self._open_until.get(host, 0.0) > time.monotonic()

    def note(self, host: str, state: str) -> None:
        now = time.monotonic()
        with self._lock:
            if state != "unknown":
                self._failures.pop(host, None)
                if self._open_until.pop(host, None) is not None:
                    log.info("A registry answers again", host=host)
                return
            failures = self._failures.setdefault(host, deque(maxlen=BREAKER_ANSWERS))
            failures.append(now)
            if len(failures) == BREAKER_ANSWERS and now - failures[0] <= BREAKER_WINDOW:
                self._open_until[host] = now + self._rest
                log.warning("A registry does not answer; it is not asked for a while", host=host, seconds=self._rest)
            # Source hosts are chosen by pod authors, so these dictionaries must not grow with them.
            for held in (self._failures, self._open_until):
                if len(held) > MOST_HOSTS:
                    held.pop(next(iter(held)))

    def open_hosts(self) -> set[str]:
        """Hosts that are not asked now."""
        now = time.monotonic()
        with self._lock:
            return {host for host, until in self._open_until.items() if until > now}


class Existence:
    """Asks registries, each image once at a time."""

    def __init__(self, head: Head, *, breaker_rest: float = BREAKER_REST) -> None:
        self._head = head
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="existence")
        self._under_way: dict[tuple[ImageRef, bool], Future[Answer]] = {}
        self._answers: BoundedMap[tuple[ImageRef, bool], Answer] = BoundedMap(20_000)
        self.breaker = Breaker(breaker_rest)

    def ask(self, ref: ImageRef, access: RegistryAccess) -> Future[Answer]:
        """A future of the registry's answer; at once where it was asked a short time ago, or rests."""
        key = (ref, bool(access.credentials))
        remembered = self._answers.get(key)
        if remembered is not None and time.monotonic() - remembered.at < REMEMBERED[remembered.state]:
            return _done(remembered)
        with self._lock:
            future = self._under_way.get(key)
            if future is None:
                if self.breaker.is_open(ref.registry):
                    return _done(Answer("unknown", away=True))
                future = self._under_way[key] = self._pool.submit(self._answer, key, access)
            return future

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _answer(self, key: tuple[ImageRef, bool], access: RegistryAccess) -> Answer:
        ref = key[0]
        try:
            answer = self._look(ref, access)
            metrics.EXISTENCE_LOOKUPS.labels(answer.state, "registry").inc()
            self._answers.put(key, answer)
            return answer
        finally:
            with self._lock:
                self._under_way.pop(key, None)

    def _look(self, ref: ImageRef, access: RegistryAccess) -> Answer:
        if self.breaker.is_open(ref.registry):
            return Answer("unknown", away=True, at=time.monotonic())
        asked_at = time.monotonic()
        try:
            descriptor = self._head(ref, access, HEAD_TIMEOUT)
        except RegistryError as error:
            log.info("A registry did not say whether it has an image", image=str(ref), error=str(error))
            answer = Answer("unknown", away=error.code in AWAY, at=time.monotonic())
            if not answer.away:
                # It answers, and at once; a private image among public ones must not shut its host.
                return answer
        except Exception:
            log.exception("Asking a registry failed", image=str(ref))
            answer = Answer("unknown", at=time.monotonic())
        else:
            state = "present" if descriptor else "absent"
            digest = descriptor.digest if descriptor else ""
            answer = Answer(state, digest, asked_at=asked_at, at=time.monotonic())
        self.breaker.note(ref.registry, answer.state)
        return answer


def _done(answer: Answer) -> Future[Answer]:
    future: Future[Answer] = Future()
    future.set_result(answer)
    return future
