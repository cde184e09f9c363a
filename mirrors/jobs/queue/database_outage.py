"""Outages of the database, as workers treat them: they write what must not be lost later, and remember the outage.

Leases run out meanwhile though their holders live on. Those come first when it is back: nobody takes their jobs over
before they have had the time to renew.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, TypeVar

import structlog
from django.db import Error, InterfaceError, OperationalError, connection

from mirrors.jobs.timing import timing
from swapper_project.process import outage_log
from swapper_project.process.database_errors import explain_database, is_out_of_space

log = structlog.get_logger(__name__)

T = TypeVar("T")

FIRST_PAUSE: Final = 0.25
"""Seconds before a write is tried again, doubled each time: a restart of the database's proxy takes less than one."""

LONGEST_RETRY_PAUSE: Final = 5.0
"""Seconds between two tries, at most: results are written soon after the database is back."""

_noticed_at: float | None = None
_out_of_space = ""


def notice(error: Error) -> None:
    """The database failed with this error just now."""
    global _noticed_at, _out_of_space
    _noticed_at = time.monotonic()
    if is_out_of_space(error):
        _out_of_space = explain_database(error)


def out_of_space() -> str:
    """Return what to do about a full disk that this process has noticed; empty where it has not."""
    return _out_of_space


def is_recent() -> bool:
    """Whether this process noticed within the time of a lease that the database was unavailable."""
    return _noticed_at is not None and time.monotonic() - _noticed_at < timing().lease


def retry_while_database_is_down(write: Callable[[], T], *, stop: Callable[[], bool]) -> T:
    """Do ``write`` (one transaction), repeated while the database is unavailable: for ``database_patience`` seconds, or
    until ``stop``. Raises the last error then."""
    deadline = time.monotonic() + timing().database_patience
    pause = FIRST_PAUSE
    while True:
        try:
            return write()
        except (OperationalError, InterfaceError) as error:
            notice(error)
            connection.close()
            if stop() or time.monotonic() + pause > deadline:
                raise
            outage_log.warn("The state of a copy cannot be written; trying again", error)
        time.sleep(pause)
        pause = min(LONGEST_RETRY_PAUSE, 2 * pause)
