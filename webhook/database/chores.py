"""Periodic work of the database thread. Each chore has its own interval, and an error of one does not affect others."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

import structlog
from django.db import InterfaceError, OperationalError, ProgrammingError

from webhook.database.lru_cache import LRUCache

log = structlog.get_logger(__name__)

DATABASE_UNAVAILABLE: Final = (OperationalError, ProgrammingError, InterfaceError, OSError)
"""Errors after which the database is not queried for a while: it is unreachable, locked, or not migrated yet."""

LOG_AGAIN_AFTER: Final = 60.0
"""Seconds for which the same error of the same work is not logged again."""

REMEMBERED_ERRORS: Final = 100
"""The maximum number of errors that are remembered in order not to log them again; there are only a few kinds."""


class ErrorBarrier:
    """Runs pieces of work and logs their errors. Only errors that mean that the database is unavailable are raised."""

    def __init__(self) -> None:
        self._logged: LRUCache[tuple[str, str], float] = LRUCache(REMEMBERED_ERRORS)

    def run(self, name: str, work: Callable[[], bool | None]) -> bool:
        """Run the work and return its result as a bool; false after an error. Raises ``DATABASE_UNAVAILABLE``."""
        try:
            return bool(work())
        except DATABASE_UNAVAILABLE:
            raise
        except Exception as error:
            key, now = (name, repr(error)[:200]), time.monotonic()
            if now - (self._logged.get(key) or -LOG_AGAIN_AFTER) >= LOG_AGAIN_AFTER:
                self._logged.put(key, now)
                log.exception("An error occurred in the database thread; it continues", work=name)
            return False


class Chore:
    """A piece of work that is due every ``every`` seconds, and immediately if its last run left more to do."""

    def __init__(self, name: str, work: Callable[[], bool | None], every: float) -> None:
        self.name = name
        self.due_at = 0.0
        self._work = work
        self._every = every

    def run_if_due(self, barrier: ErrorBarrier) -> bool:
        """Run the work if it is due, and return whether it was due. Raises ``DATABASE_UNAVAILABLE``."""
        now = time.monotonic()
        if now < self.due_at:
            return False
        try:
            is_more = barrier.run(self.name, self._work)
        except DATABASE_UNAVAILABLE:
            self.due_at = now
            raise
        # Also after an error: a time in the past would make the thread run without a pause.
        self.due_at = now if is_more else time.monotonic() + self._every
        return True
