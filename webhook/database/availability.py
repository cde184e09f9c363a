"""Whether the database answers: after an error it is asked nothing for a while, and for longer after the next."""

from __future__ import annotations

import time
from typing import Final

import structlog
from django.db import Error

from swapper_project.process.database_errors import explain_database

log = structlog.get_logger(__name__)

PAUSE_AFTER_ERROR: Final = (0.5, 5.0)
"""Seconds without a try after a database error: the first time, and at most."""


class Availability:
    """Times are those of ``time.monotonic()``."""

    def __init__(self) -> None:
        self._failures = 0
        self.next_try = 0.0

    @property
    def is_failing(self) -> bool:
        """Whether the last try failed."""
        return self._failures > 0

    @property
    def is_due(self) -> bool:
        """Whether the database may be asked."""
        return time.monotonic() >= self.next_try

    def came_back(self) -> None:
        if self._failures:
            log.warning("The database responds again")
        self._failures = 0

    def back_off(self, error: Exception) -> None:
        """Ask nothing for a while; requests answer from memory meanwhile."""
        if not self._failures:
            log.warning(
                "The database does not respond; known images are still swapped from memory",
                error=(explain_database(error) if isinstance(error, Error) else "") or str(error).strip(),
            )
        self.next_try = time.monotonic() + min(
            PAUSE_AFTER_ERROR[1], PAUSE_AFTER_ERROR[0] * 2 ** min(self._failures, 10)
        )
        self._failures += 1
