"""Writes that must not be lost when the database is unavailable for a while."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

import structlog
from django.db import InterfaceError, OperationalError, connection

from mirrors.jobs.queue import database_outage
from mirrors.jobs.queue.timing import timing
from swapper_project.process.database_errors import explain_database

log = structlog.get_logger(__name__)

T = TypeVar("T")


def retry_while_database_is_down(write: Callable[[], T], *, stop: Callable[[], bool]) -> T:
    """Do ``write`` (one transaction), repeated while the database is unavailable: for ``database_patience`` seconds, or
    until ``stop``. Raises the last error then."""
    deadline = time.monotonic() + timing().database_patience
    pause = 0.25
    while True:
        try:
            return write()
        except (OperationalError, InterfaceError) as error:
            database_outage.notice(error)
            connection.close()
            if stop() or time.monotonic() + pause > deadline:
                raise
            log.warning(
                "The database is unavailable; the state of a copy is written when it is back",
                error=explain_database(error),
            )
        time.sleep(pause)
        pause = min(5.0, 2 * pause)
