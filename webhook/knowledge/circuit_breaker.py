"""A circuit breaker: hosts that do not respond get no requests for a while."""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import Final

import structlog

log = structlog.get_logger(__name__)

BREAKER_FAILURES: Final = 5
"""The number of unknown results that opens the breaker of a host: a single lost response does not."""

BREAKER_WINDOW: Final = 10.0
"""Seconds within which these results must occur."""

BREAKER_REST: Final = 30.0
"""Seconds for which a host gets no requests. A restart of a registry takes about as long."""

MOST_HOSTS_REMEMBERED: Final = 1_000
"""The maximum number of remembered hosts. There is a limit because pods choose the hosts."""

OPEN_HOST_EXPIRES_AFTER: Final = 600.0
"""Seconds after the rest for which a host without further requests is still reported as open."""

PROBE_SECONDS: Final = 10.0
"""Seconds from the trial request after the rest until another one is allowed without a result of the first: more than
``HEAD_TIMEOUT``."""


class CircuitBreaker:
    """Opens for a host after five unknown results in ten seconds. After the rest, one trial request is allowed; its
    result closes the breaker or starts another rest."""

    def __init__(self, open_seconds: float) -> None:
        self._open_seconds = open_seconds
        self._lock = threading.Lock()
        self._failures: dict[str, deque[float]] = {}
        self._open_until: dict[str, float] = {}
        self._probed_at: dict[str, float] = {}

    def is_open(self, host: str) -> bool:
        """Return whether a request to the host is pointless now."""
        with self._lock:
            return self._is_open(host, time.monotonic())

    def allows_request(self, host: str) -> bool:
        """Return whether a request to the host is allowed. Call this right before the request: after the rest, only one
        caller gets true."""
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

    def record(self, host: str, state: str) -> None:
        now = time.monotonic()
        with self._lock:
            if state != "unknown":
                self._failures.pop(host, None)
                self._probed_at.pop(host, None)
                if self._open_until.pop(host, None) is not None:
                    log.info("A registry responds again", host=host)
                return
            failures = self._failures.setdefault(host, deque(maxlen=BREAKER_FAILURES))
            failures.append(now)
            is_a_probe = self._probed_at.pop(host, None) is not None
            if is_a_probe or (len(failures) == BREAKER_FAILURES and now - failures[0] <= BREAKER_WINDOW):
                self._open_until[host] = now + self._open_seconds
                log.warning(
                    "A registry does not respond; the webhook sends it no requests for a while",
                    host=host,
                    seconds=self._open_seconds,
                )
            # Authors of pods choose source hosts, so the size of these dictionaries must be bounded.
            for entries in (self._failures, self._open_until, self._probed_at):
                if len(entries) > MOST_HOSTS_REMEMBERED:
                    entries.pop(next(iter(entries)))

    def open_hosts(self) -> set[str]:
        """Return the hosts whose breaker is open, or which have not responded since their last rest."""
        now = time.monotonic()
        with self._lock:
            return {host for host, until in self._open_until.items() if now < until + OPEN_HOST_EXPIRES_AFTER}
