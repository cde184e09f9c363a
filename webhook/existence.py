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
LATER_THREADS: Final = 4
MOST_UNDER_WAY: Final = 500
"""Images that are asked for at the same time, those that wait for a thread included: so many that somebody waits for,
and so many that nobody does."""

REMEMBERED: Final = {"present": 5.0, "absent": 5.0, "unknown": 0.5}
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


FORGOTTEN_AFTER: Final = 600.0
"""Seconds after which a host that nobody asks for any more does not count as open."""

PROBE_SECONDS: Final = 10.0


class Breaker:
    """Opens for a host that gave five unknown answers in ten seconds. After its rest one question goes through, whose
    answer closes it or lets it rest again."""

    def __init__(self, rest: float) -> None:
        self._rest = rest
        self._lock = threading.Lock()
        self._failures: dict[str, deque[float]] = {}
        self._open_until: dict[str, float] = {}
        self._probed_at: dict[str, float] = {}

    def is_open(self, host: str) -> bool:
        """Whether there is no sense in asking now."""
        with self._lock:
            return self._is_open(host, time.monotonic())

    def may_ask(self, host: str) -> bool:
        """To be called right before a question: of those that come after the rest one may."""
        now = time.monotonic()
        with self._lock:
            if self._is_open(host, now):
                return False
            if host in self._open_until:
                self._probed_at[host] = now
            return True

    def _is_open(self, host: str, now: float) -> bool:
        until = self._open_until.get(host)
        if until is None:
            return False
        return now < until or now < self._probed_at.get(host, 0.0) + PROBE_SECONDS

    def note(self, host: str, state: str) -> None:
        now = time.monotonic()
        with self._lock:
            if state != "unknown":
                self._failures.pop(host, None)
                self._probed_at.pop(host, None)
                if self._open_until.pop(host, None) is not None:
                    log.info("A registry responds again", host=host)
                return
            failures = self._failures.setdefault(host, deque(maxlen=BREAKER_ANSWERS))
            failures.append(now)
            is_a_probe = self._probed_at.pop(host, None) is not None
            if is_a_probe or (len(failures) == BREAKER_ANSWERS and now - failures[0] <= BREAKER_WINDOW):
                self._open_until[host] = now + self._rest
                log.warning(
                    "A registry does not respond; the webhook sends it no requests for a while",
                    host=host,
                    seconds=self._rest,
                )
            # Source hosts are chosen by pod authors, so these dictionaries must not grow with them.
            for held in (self._failures, self._open_until, self._probed_at):
                if len(held) > MOST_HOSTS:
                    held.pop(next(iter(held)))

    def open_hosts(self) -> set[str]:
        """Hosts that gave no answer since they were last given up."""
        now = time.monotonic()
        with self._lock:
            return {host for host, until in self._open_until.items() if now < until + FORGOTTEN_AFTER}


class Existence:
    """Asks registries, each image once at a time."""

    def __init__(self, head: Head, *, breaker_rest: float = BREAKER_REST) -> None:
        self._head = head
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="existence")
        self._later = ThreadPoolExecutor(LATER_THREADS, thread_name_prefix="existence-later")
        self._under_way: dict[tuple[ImageRef, bool], Future[Answer]] = {}
        self._later_under_way: dict[tuple[ImageRef, bool], Future[Answer]] = {}
        self._answers: BoundedMap[tuple[ImageRef, bool], Answer] = BoundedMap(20_000)
        self.breaker = Breaker(breaker_rest)

    def ask(self, ref: ImageRef, access: RegistryAccess, *, later: bool = False) -> Future[Answer]:
        """A future of the registry's answer; at once where it was asked a short time ago, or rests.

        ``later`` is for what nobody waits for; it is in nobody's way.
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
                return _done(Answer("unknown", away=True))
            future = under_way[key] = pool.submit(self._answer, key, access, under_way)
            return future

    def _shared(self, key: tuple[ImageRef, bool], *, later: bool) -> Future[Answer] | None:
        """The question that is under way already. Nobody waits behind those that nobody waits for: one of them that
        has no thread yet is asked by whoever waits, and finds the answer there."""
        future = self._later_under_way.get(key)
        if future is not None and (later or future.running()):
            return future
        return self._under_way.get(key)

    def _remembered(self, key: tuple[ImageRef, bool]) -> Answer | None:
        answer = self._answers.get(key)
        is_recent = answer is not None and time.monotonic() - answer.at < REMEMBERED[answer.state]
        return answer if is_recent else None

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._later.shutdown(wait=False, cancel_futures=True)

    def _answer(
        self,
        key: tuple[ImageRef, bool],
        access: RegistryAccess,
        under_way: dict[tuple[ImageRef, bool], Future[Answer]],
    ) -> Answer:
        try:
            if remembered := self._remembered(key):
                return remembered
            answer = self._look(key[0], access)
            metrics.EXISTENCE_LOOKUPS.labels(answer.state, "registry").inc()
            self._answers.put(key, answer)
            return answer
        finally:
            with self._lock:
                under_way.pop(key, None)

    def _look(self, ref: ImageRef, access: RegistryAccess) -> Answer:
        if not self.breaker.may_ask(ref.registry):
            return Answer("unknown", away=True, at=time.monotonic())
        asked_at = time.monotonic()
        try:
            descriptor = self._head(ref, access, HEAD_TIMEOUT)
        except RegistryError as error:
            log.info("A registry did not say whether it has an image", image=str(ref), error=str(error))
            answer = Answer("unknown", away=error.code in AWAY, at=time.monotonic())
            if not answer.away:
                # It answers, and at once; a private image among public ones must not shut its host.
                self.breaker.note(ref.registry, "answered")
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
