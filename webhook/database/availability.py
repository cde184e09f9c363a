"""The availability of the database: after an error it is not queried for a while, and for longer after each further
error."""

from __future__ import annotations

import time
from typing import Final

import structlog
from django.db import Error

from swapper_project.process.database_errors import explain_database

log = structlog.get_logger(__name__)

PAUSE_AFTER_ERROR: Final = (0.5, 5.0)
"""Seconds without a query after a database error: after the first one, and at most."""


class Availability:
    """Tracks whether the database responds. Times are those of ``time.monotonic()``."""

    def __init__(self) -> None:
        self._failures = 0
        self.next_try = 0.0

    @property
    def is_failing(self) -> bool:
        """Whether the last query failed."""
        return self._failures > 0

    @property
    def is_due(self) -> bool:
        """Whether the database can be queried now."""
        return time.monotonic() >= self.next_try

    def mark_available(self) -> None:
        if self._failures:
            log.warning("The database responds again")
        self._failures = 0

    def back_off(self, error: Exception) -> None:
        """Stop queries for a while. In the meantime, reviews are answered from memory."""
        if not self._failures:
            log.warning(
                "The database does not respond; known images are still swapped from memory",
                error=(explain_database(error) if isinstance(error, Error) else "") or str(error).strip(),
            )
        self.next_try = time.monotonic() + min(
            PAUSE_AFTER_ERROR[1], PAUSE_AFTER_ERROR[0] * 2 ** min(self._failures, 10)
        )
        self._failures += 1
