"""What all commands share: the flags that say where configuration and data are, and one line for what fails."""

from __future__ import annotations

import argparse
import errno
import os
from collections.abc import Mapping, MutableMapping, Sequence
from typing import Final

from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, InterfaceError, OperationalError, ProgrammingError

FLAGS: Mapping[str, str] = {"--config": "SWAPPER_CONFIG", "--data-dir": "SWAPPER_DATA_DIR"}
"""Flags that each command takes, and the variable that is set by each."""

ROLES: Final = ("webhook", "web", "worker")
"""Commands that are a role of the system: their settings are read in that role."""

_NOT_MIGRATED = ("no such table", "no such column", "does not exist")


def take_flags(argv: Sequence[str], environ: MutableMapping[str, str]) -> list[str]:
    """The arguments without the shared flags, whose values go into the environment: settings are read from there, and
    child processes inherit them. A flag wins over a variable that was set before."""
    parser = argparse.ArgumentParser(prog="manage.py", add_help=False, allow_abbrev=False)
    for flag in FLAGS:
        parser.add_argument(flag)
    known, rest = parser.parse_known_args(argv[1:])
    for flag, variable in FLAGS.items():
        value = getattr(known, flag.strip("-").replace("-", "_"))
        if value is not None:
            environ[variable] = os.path.abspath(value)
            environ.pop(f"{variable}_FILE", None)
    return [*argv[:1], *rest]


def take_role(argv: Sequence[str], environ: MutableMapping[str, str]) -> None:
    """Have a command that is a role of the system run in it, whatever the variable said."""
    if argv[1:2] and argv[1] in ROLES:
        environ["SWAPPER_ROLE"] = argv[1]
        environ.pop("SWAPPER_ROLE_FILE", None)


def explain(error: Exception) -> str:
    """What went wrong and what to do about it, in one line; empty for an error that only its traceback explains."""
    if isinstance(error, ImproperlyConfigured):
        if "SECRET_KEY" in str(error):
            return (
                "SWAPPER_SECRET_KEY is not set: set the key that the other processes use, or name the data directory "
                "of `up` with --data-dir."
            )
        return str(error)
    if isinstance(error, (DatabaseError, InterfaceError)):
        return _explain_database(error)
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EDQUOT):
        place = f" {error.filename}" if error.filename else ""
        return f"Cannot write{place}: {error.strerror}. Free space there, or name another directory with --data-dir."
    return ""


def _explain_database(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    first = lines[-1] if lines else type(error).__name__
    is_missing = 'database "' in first and first.endswith("does not exist")
    if not is_missing and (isinstance(error, ProgrammingError) or any(words in first for words in _NOT_MIGRATED)):
        return f"The database is not prepared ({first}). Run: manage.py prepare"
    if is_missing:
        return f"The database does not exist: {first}. Create it, or correct SWAPPER_DATABASE_URL."
    if isinstance(error, (OperationalError, InterfaceError)):
        if "full" in first or "readonly" in first or "unable to open" in first or "I/O" in first:
            return f"The database cannot be written: {first}. Check the disk and the permissions of the data directory."
        return f"The database does not answer: {first}. Check SWAPPER_DATABASE_URL, and that its server runs."
    return ""
