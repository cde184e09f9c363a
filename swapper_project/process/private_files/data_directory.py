"""Permissions of the data directory: only its owner can read the keys, passwords and database in it.

Every process calls :func:`protect` when it loads its settings, so that the permissions of a directory from a copy, a
restore or an earlier release are restricted too. The setgid bit of the directory means that its group shares it, as
with Kubernetes' ``fsGroup``: then the group keeps its access.
"""

from __future__ import annotations

import os
import shlex
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import structlog

log = structlog.get_logger(__name__)

DATABASE_FILE: Final = "swapper.sqlite3"
PRIVATE_FILES: Final = ("secret-key", "admin-password", "webhook.key")
OWN_FILES: Final = frozenset(
    {*PRIVATE_FILES, "webhook.crt", "credentials", "worker-heartbeat", DATABASE_FILE, "lost+found"}
)
_SUFFIXES: Final = ("", "-wal", "-shm", "-journal")
"""The suffixes of SQLite's files."""

OTHERS: Final = 0o007
"""The permission bits of users other than owner and group."""

GROUP_AND_OTHERS: Final = 0o077
"""The permission bits of users other than the owner."""


def protect(directory: Path, database: Path | None = None) -> list[Path]:
    """Remove unwanted access to the private files and the directory. Return the paths that remain accessible; log lines
    name them and the remedy.

    ``database`` is the file of SQLite, at any path. Paths that do not exist are skipped. The permissions of a directory
    that also contains other files are not changed, because it could be ``/tmp`` or a home directory.
    """
    files = [path for path in _private_paths(directory, database) if not _restrict(path, _denied_bits(path.parent))]
    is_shared = bool(_mode(directory) & _denied_bits(directory)) and not _is_ours(directory)
    is_restricted = is_shared or _restrict(directory, _denied_bits(directory))
    accessible = files if is_restricted else [directory, *files]
    if accessible:
        log.warning(
            "Others can read files of the data directory, which this process cannot change; run this as the owner",
            run="; ".join(_command(path) for path in accessible),
        )
    if is_shared:
        log.warning(
            "Others can list the data directory, which also has other files; use a separate directory with --data-dir",
            directory=str(directory),
        )
    return [directory, *files] if is_shared else accessible


def _private_paths(directory: Path, database: Path | None) -> Iterator[Path]:
    yield from (directory / name for name in PRIVATE_FILES)
    databases = dict.fromkeys((directory / DATABASE_FILE, database or directory / DATABASE_FILE))
    yield from (file.with_name(f"{file.name}{suffix}") for file in databases for suffix in _SUFFIXES)
    credentials = directory / "credentials"
    # A mounted Secret is read-only, and the pod's manifest sets its modes.
    if not credentials.is_mount():
        yield credentials


def _denied_bits(directory: Path) -> int:
    """Return the permission bits that a directory and its files must not have."""
    return OTHERS if _mode(directory) & stat.S_ISGID else GROUP_AND_OTHERS


def _restrict(path: Path, denied_bits: int) -> bool:
    """Remove the unwanted permission bits. Return whether the path has none of them any longer; true if the path does
    not exist."""
    mode = _mode(path)
    if not mode & denied_bits:
        return True
    try:
        path.chmod(mode & ~denied_bits)
    except OSError:
        return False
    return True


def _is_ours(directory: Path) -> bool:
    """Return whether all names in the directory are those of files that this project creates there."""
    try:
        names = os.listdir(directory)
    except OSError:
        return False
    return all(name.removesuffix(".new") in OWN_FILES or name.startswith(f"{DATABASE_FILE}-") for name in names)


def _mode(path: Path) -> int:
    try:
        return stat.S_IMODE(path.stat().st_mode)
    except OSError:
        return 0


def _command(path: Path) -> str:
    directory = path if path.is_dir() else path.parent
    change = "o-rwx" if _denied_bits(directory) == OTHERS else "go-rwx"
    return f"chmod {change} {shlex.quote(str(path))}"
