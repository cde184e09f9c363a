"""Explains errors of the database to operators: the problem and the remedy, in one line."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from django.db import Error, InterfaceError, OperationalError, ProgrammingError, connection

from swapper_project.process.private_files.permissions import missing_access

_NOT_MIGRATED: Final = ("no such table", "no such column")
"""Parts of SQLite's messages; for Postgres, there is an exception class."""

_FULL: Final = ("is full", "disk I/O error", "No space left on device", "Disk quota exceeded")
_LOCKED: Final = "database is locked"
"""SQLite's message while another process writes for longer than a statement waits."""

_NOT_WRITABLE: Final = ("readonly", "unable to open")
_PREFIX: Final = "connection failed: "
"""psycopg's prefix of the message of libpq, which says the same."""


def explain_database(error: Error) -> str:
    """Return the problem and the remedy in one line; empty if only the traceback explains the error."""
    reason = _reason(error)
    is_missing = 'database "' in reason and reason.endswith("does not exist")
    if is_missing:
        return f"The database does not exist: {reason}. Create it, or correct SWAPPER_DATABASE_URL."
    if isinstance(error, ProgrammingError) or any(part in reason for part in _NOT_MIGRATED):
        return f"The database is not prepared ({reason}). Run: manage.py prepare"
    if not isinstance(error, (OperationalError, InterfaceError)):
        return ""
    if is_out_of_space(error):
        return f"The database cannot be written ({reason}): free space on the disk of {_location()}. Its data is kept."
    if any(part in reason for part in _NOT_WRITABLE):
        missing = connection.vendor == "sqlite" and missing_access(Path(connection.settings_dict["NAME"]).absolute())
        return f"The database cannot be written ({reason}): {missing or f'check the permissions of {_location()}.'}"
    if _LOCKED in reason:
        return (
            f"The database is used by another process ({reason}). If this continues, find what holds {_location()} "
            "locked."
        )
    return f"The database does not respond: {reason}. Check SWAPPER_DATABASE_URL, and that its server runs."


def is_out_of_space(error: Error) -> bool:
    """Return whether the disk of the database is full. Only an operator who frees space can solve that."""
    return isinstance(error, (OperationalError, InterfaceError)) and any(part in _reason(error) for part in _FULL)


def _reason(error: Error) -> str:
    """Return the first line without its full stop. Later lines are hints, positions, or the same error of other
    addresses."""
    lines = [" ".join(line.split()) for line in str(error).splitlines() if line.strip()]
    return lines[0].removeprefix(_PREFIX).rstrip(" .") if lines else type(error).__name__


def _location() -> str:
    if connection.vendor != "sqlite":
        return "the database server"
    name: Any = connection.settings_dict["NAME"]
    return str(Path(name).parent)
