"""The readiness of a process: its configuration is loaded, and the services that it needs respond."""

from __future__ import annotations

import threading
import time

import structlog

log = structlog.get_logger(__name__)


class Readiness:
    """The result of the last turn of a process. The thread that works or monitors sets it, and probes read it."""

    def __init__(self, role: str) -> None:
        self.role = role
        self._lock = threading.Lock()
        self._problem = f"the {role} is starting"
        self._has_been_ready = False
        self._recorded_at: float | None = None

    def record(self, problem: str) -> None:
        """Record the problem of the last turn; empty if it succeeded."""
        with self._lock:
            is_first = not problem and not self._has_been_ready
            self._problem = problem
            self._has_been_ready |= not problem
            self._recorded_at = time.monotonic()
        if is_first:
            log.info(f"The {self.role} is ready")

    @property
    def problem(self) -> str:
        with self._lock:
            return self._problem

    def age(self) -> float | None:
        """Return the seconds since the last turn, whether it succeeded or not; None before the first one."""
        with self._lock:
            return time.monotonic() - self._recorded_at if self._recorded_at is not None else None
