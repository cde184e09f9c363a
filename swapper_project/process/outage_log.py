"""Logs one line when the database stops responding and one when it responds again, whichever part of a process detects
it.

Requests that fail during an outage are not errors of the program: they get status 503, and log no traceback.
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

OUTAGE_EXPIRES_AFTER: Final = 300.0
"""Seconds without an error after which the next one counts as a new outage, if the end of the last was not detected."""

_lock = threading.Lock()
_last_error: float | None = None


def warn(message: str, error: Error) -> None:
    """Log an error with ``message``. If the error is an outage, log only its start, without ``message``."""
    if not is_outage(error):
        log.warning(message, error=explain_database(error) or str(error).strip())
    else:
        _record_error(error)


def is_outage(error: BaseException | None) -> bool:
    """Return whether the database is unreachable or locked. A full disk does not count: an operator must free space."""
    return isinstance(error, (OperationalError, InterfaceError)) and not is_out_of_space(error)


def record_success() -> None:
    """Record that the database was used without an error, and log the end of an outage."""
    global _last_error
    if _last_error is None:
        return
    with _lock:
        has_ended, _last_error = _last_error is not None, None
    if has_ended:
        log.warning("The database responds again")


def _record_error(error: Error) -> None:
    """Record an error of an outage, and log the first one."""
    global _last_error
    with _lock:
        previous, _last_error = _last_error, time.monotonic()
        is_new = previous is None or _last_error - previous > OUTAGE_EXPIRES_AFTER
    if is_new:
        log.warning("The database does not respond; trying again", error=explain_database(error))


def _on_connection(connection: Any, **kwargs: Any) -> None:
    # SQLite can open its file even while it is locked.
    if connection.vendor != "sqlite":
        record_success()


class _OutageFilter(logging.Filter):
    """Suppresses tracebacks during an outage: Django logs one for each failed request, django-q2 one for each result
    that it cannot save."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if not isinstance(error, Error) or not is_outage(error):
            return True
        _record_error(error)
        return False


connection_created.connect(_on_connection)
for _name in ("django.request", "django-q"):
    logging.getLogger(_name).addFilter(_OutageFilter())
