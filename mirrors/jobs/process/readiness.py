"""Whether this worker can claim: its configuration is loaded, and its database answers with the tables it needs."""

from __future__ import annotations

import threading

import structlog

log = structlog.get_logger(__name__)


class Readiness:
    """Set by the thread that looks at the queue, read by probes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._problem = "the worker starts"
        self._has_been_ready = False

    def note(self, problem: str) -> None:
        """How the last look at the queue ended; empty: well."""
        with self._lock:
            is_first = not problem and not self._has_been_ready
            self._problem = problem
            self._has_been_ready |= not problem
        if is_first:
            log.info("The worker is ready")

    @property
    def problem(self) -> str:
        with self._lock:
            return self._problem
