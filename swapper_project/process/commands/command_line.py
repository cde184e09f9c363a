"""The flags of all commands for the locations of configuration and data, and error messages of one line."""

from __future__ import annotations

import argparse
import errno
import os
from collections.abc import Mapping, MutableMapping, Sequence
from pathlib import Path
from typing import Final

from django.core.exceptions import ImproperlyConfigured
from django.db import Error

from swapper_project.process.database_errors import explain_database
from swapper_project.process.private_files.permissions import missing_access

FLAGS: Mapping[str, str] = {"--config": "SWAPPER_CONFIG", "--data-dir": "SWAPPER_DATA_DIR"}
"""The flags that each command accepts, and the environment variable that each flag sets."""

COMMANDS_WITHOUT_FLAGS: Mapping[str, str] = {
    "demo": "it creates its own configuration and data directory. To run your configuration: manage.py up"
}
"""Commands that accept none of the flags, and the reason."""

_NOT_WRITABLE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM})

_DENIED: Final = frozenset({errno.EACCES, errno.EPERM, errno.ENOENT, errno.ENOTDIR})

_REMEDIES: Final = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT, errno.EFBIG), "Free space there"),
    errno.ENOTDIR: "Move this file away",
}
"""The first step to take after an operating system error."""

_NO_SECRET_KEY: Final = ("The SECRET_KEY setting must not be empty", "SWAPPER_SECRET_KEY is not set")
"""The errors of Django and of ``settings.py`` without a key. Other errors about the key name a variable or a file."""

ROLE_OF_COMMAND: Final[Mapping[str, str]] = {"webhook": "webhook", "web": "web", "worker": "worker", "watch": "watcher"}
"""Commands that run one role of the system, with that role's settings."""


def apply_flags(argv: Sequence[str], environ: MutableMapping[str, str]) -> list[str]:
    """Return the arguments without the shared flags, and put the flags' values into the environment: settings read them
    from there, and child processes inherit them. A flag overrides a variable that was already set."""
    parser = argparse.ArgumentParser(prog="manage.py", add_help=False, allow_abbrev=False)
    for flag in FLAGS:
        parser.add_argument(flag, type=_path)
    parsed, remaining = parser.parse_known_args(argv[1:])
    if (
        remaining
        and remaining[0] in COMMANDS_WITHOUT_FLAGS
        and any(value is not None for value in vars(parsed).values())
    ):
        parser.exit(
            2, f"{remaining[0]} accepts neither {' nor '.join(FLAGS)}: {COMMANDS_WITHOUT_FLAGS[remaining[0]]}\n"
        )
    for flag, variable in FLAGS.items():
        value = getattr(parsed, flag.strip("-").replace("-", "_"))
        if value is not None:
            environ[variable] = value
            environ.pop(f"{variable}_FILE", None)
    return [*argv[:1], *remaining]


def _path(text: str) -> str:
    if not text:
        raise argparse.ArgumentTypeError("needs a path")
    return os.path.abspath(text)


def explain_write(error: OSError, place: str = "") -> str:
    """Return a message about a file that cannot be read or written, with the remedy. ``place`` is the path if the error
    names none."""
    path = str(error.filename or place)
    location = f" {path}" if path else ""
    if error.errno in _DENIED and path and (missing := missing_access(Path(os.path.abspath(path)))):
        return f"Cannot read or write{location}: {error.strerror}. {missing}"
    remedy = _REMEDIES.get(error.errno or 0, "Give this user the right to write there")
    return (
        f"Cannot write{location}: {error.strerror}. {remedy}, or name another directory with --data-dir "
        "(SWAPPER_DATA_DIR)."
    )


def apply_role(argv: Sequence[str], environ: MutableMapping[str, str]) -> None:
    """Set the role for a command that runs one, whatever the previous value of the variable."""
    if argv[1:2] and argv[1] in ROLE_OF_COMMAND:
        environ["SWAPPER_ROLE"] = ROLE_OF_COMMAND[argv[1]]
        environ.pop("SWAPPER_ROLE_FILE", None)


def explain_error(error: Exception) -> str:
    """Return the problem and the remedy in one line; empty if only the traceback explains the error."""
    if isinstance(error, ImproperlyConfigured):
        if str(error).startswith(_NO_SECRET_KEY):
            return (
                "SWAPPER_SECRET_KEY is not set: set the key that the other processes use, or name the data directory "
                "of `up` with --data-dir."
            )
        return str(error)
    if isinstance(error, Error):
        return explain_database(error)
    if isinstance(error, OSError) and error.errno in _NOT_WRITABLE:
        return explain_write(error)
    return ""
