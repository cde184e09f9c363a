"""One line when the database stops responding and one when it responds again, whichever work of a process notices it.

Requests that fail meanwhile are no errors of the program: they are answered with 503, and log no traceback.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import Any, Final

import structlog
from django.db import Error, InterfaceError, OperationalError
from django.db.backends.signals import connection_created

from swapper_project.process.database_errors import explain_database, is_out_of_space

log = structlog.get_logger(__name__)

FORGOTTEN_AFTER: Final = 300.0
"""Seconds without an error after which the next one begins another outage, where nothing has said that it ended."""

_lock = threading.Lock()
_last_error: float | None = None


def warn(message: str, error: Error) -> None:
    """Log what cannot be done. Of an outage only its begin is logged: ``message`` is for other errors."""
    if not is_outage(error):
        log.warning(message, error=explain_database(error) or str(error).strip())
    else:
        _notice(error)


def is_outage(error: BaseException | None) -> bool:
    """Whether the database cannot be reached, or is locked. A full disk does not count: somebody has to free space."""
    return isinstance(error, (OperationalError, InterfaceError)) and not is_out_of_space(error)


def responds() -> None:
    """The database was just used without an error."""
    global _last_error
    if _last_error is None:
        return
    with _lock:
        has_ended, _last_error = _last_error is not None, None
    if has_ended:
        log.warning("The database responds again")


def _notice(error: Error) -> None:
    """Log an outage where it begins."""
    global _last_error
    with _lock:
        before, _last_error = _last_error, time.monotonic()
        begins = before is None or _last_error - before > FORGOTTEN_AFTER
    if begins:
        log.warning("The database does not respond; trying again", error=explain_database(error))


def _connected(connection: Any, **more: Any) -> None:
    # A file of SQLite is opened also while it is locked.
    if connection.vendor != "sqlite":
        responds()


class _Outages(logging.Filter):
    """Django logs the traceback of each request that fails, django-q2 that of each result that it cannot save."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if not isinstance(error, Error) or not is_outage(error):
            return True
        _notice(error)
        return False


connection_created.connect(_connected)
for _name in ("django.request", "django-q"):
    logging.getLogger(_name).addFilter(_Outages())
