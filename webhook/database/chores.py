"""Regular work of the database thread, each at its own time: an error of one keeps no other from its turn."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

import structlog
from django.db import InterfaceError, OperationalError, ProgrammingError

from webhook.database.lru_cache import LRUCache

log = structlog.get_logger(__name__)

DATABASE_AWAY: Final = (OperationalError, ProgrammingError, InterfaceError, OSError)
"""Errors after which the database is not asked for a while: not there, locked, or not migrated yet."""

LOGGED_AGAIN: Final = 60.0
"""Seconds for which the same error of the same work is not logged again."""

REMEMBERED_ERRORS: Final = 100
"""Errors that are remembered for that; there are a few kinds."""


class ErrorBarrier:
    """Runs pieces of work whose errors are logged and end there, but for those that say the database is unavailable."""

    def __init__(self) -> None:
        self._logged: LRUCache[tuple[str, str], float] = LRUCache(REMEMBERED_ERRORS)

    def run(self, name: str, work: Callable[[], bool | None]) -> bool:
        """Return what the work returns; false after an error."""
        try:
            return bool(work())
        except DATABASE_AWAY:
            raise
        except Exception as error:
            key, now = (name, repr(error)[:200]), time.monotonic()
            if now - (self._logged.get(key) or -LOGGED_AGAIN) >= LOGGED_AGAIN:
                self._logged.put(key, now)
                log.exception("An error occurred in the database thread; it continues", work=name)
            return False


class Chore:
    """A piece of work that is due every so many seconds, and at once while it leaves more to do."""

    def __init__(self, name: str, work: Callable[[], bool | None], every: float) -> None:
        self.name = name
        self.due_at = 0.0
        self._work = work
        self._every = every

    def run_if_due(self, barrier: ErrorBarrier) -> bool:
        """Whether it was due. Raises what says that the database is unavailable."""
        now = time.monotonic()
        if now < self.due_at:
            return False
        try:
            is_more = barrier.run(self.name, self._work)
        except DATABASE_AWAY:
            self.due_at = now
            raise
        # Whatever came of it: a time in the past would make the thread run without a pause.
        self.due_at = now if is_more else time.monotonic() + self._every
        return True
