"""How workers handle outages of the database: they retry important writes, and remember the outage.

Leases expire during an outage although their holders are still running. Therefore, after the outage, no worker takes
over jobs until the holders have had the time to renew their leases.
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
"""Seconds before the first retry of a write, doubled each time: the database's proxy restarts in less than a second."""

LONGEST_RETRY_PAUSE: Final = 5.0
"""The maximum number of seconds between two retries, so that results are written soon after the outage."""

_last_outage_at: float | None = None
_out_of_space = ""


def record_outage(error: Error) -> None:
    """Record that the database failed with this error just now."""
    global _last_outage_at, _out_of_space
    _last_outage_at = time.monotonic()
    if is_out_of_space(error):
        _out_of_space = explain_database(error)


def out_of_space() -> str:
    """Return the instructions for a database without disk space; empty if this process has not met that error."""
    return _out_of_space


def is_recent() -> bool:
    """Return whether this process noticed an outage of the database within the last lease duration."""
    return _last_outage_at is not None and time.monotonic() - _last_outage_at < timing().lease


def retry_while_database_is_down(write: Callable[[], T], *, stop: Callable[[], bool]) -> T:
    """Call ``write`` (one transaction), and repeat the call while the database is unavailable. Raises the last error
    after ``database_patience`` seconds, or once ``stop`` returns true."""
    deadline = time.monotonic() + timing().database_patience
    pause = FIRST_PAUSE
    while True:
        try:
            return write()
        except (OperationalError, InterfaceError) as error:
            record_outage(error)
            connection.close()
            if stop() or time.monotonic() + pause > deadline:
                raise
            outage_log.warn("The state of a copy cannot be written; trying again", error)
        time.sleep(pause)
        pause = min(LONGEST_RETRY_PAUSE, 2 * pause)
