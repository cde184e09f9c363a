"""Whether a process can do its work: its configuration is loaded, and what it needs answers."""

from __future__ import annotations

import threading
import time

import structlog

log = structlog.get_logger(__name__)


class Readiness:
    """Set by the thread that does the work, or looks at it; read by probes."""

    def __init__(self, role: str) -> None:
        self.role = role
        self._lock = threading.Lock()
        self._problem = f"the {role} is starting"
        self._has_been_ready = False
        self._noted_at: float | None = None

    def note(self, problem: str) -> None:
        """Note how the last turn ended; empty: well."""
        with self._lock:
            is_first = not problem and not self._has_been_ready
            self._problem = problem
            self._has_been_ready |= not problem
            self._noted_at = time.monotonic()
        if is_first:
            log.info(f"The {self.role} is ready")

    @property
    def problem(self) -> str:
        with self._lock:
            return self._problem

    def age(self) -> float | None:
        """Seconds since the last turn, however it ended; None before the first."""
        with self._lock:
            return time.monotonic() - self._noted_at if self._noted_at is not None else None
