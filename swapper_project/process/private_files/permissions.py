"""Describes the permission that a process lacks for a path, with the path and the remedy."""

from __future__ import annotations

import os
from pathlib import Path

_NAMES = {os.R_OK: "read (r)", os.W_OK: "write (w)", os.X_OK: "search (x)"}

_OTHER_PATH_ADVICE = "name another path: --data-dir for the data directory, --config for the configuration file."


def missing_access(path: Path) -> str:
    """Return why this user cannot read and write a file or directory, and the remedy; empty if the user can."""
    for parent in reversed(path.parents):
        if problem := _problem(parent, os.X_OK):
            return problem
    if not os.path.exists(path):
        return _problem(path.parent, os.W_OK, os.X_OK)
    return _problem(path, os.R_OK, os.W_OK, *([os.X_OK] if path.is_dir() else []))


def _problem(path: Path, *modes: int) -> str:
    if not os.path.exists(path):
        return f"{path} does not exist. Create it, or {_OTHER_PATH_ADVICE}"
    if os.X_OK in modes and not path.is_dir():
        return f"{path} is not a directory. Move it away, or {_OTHER_PATH_ADVICE}"
    missing = [_NAMES[mode] for mode in modes if not os.access(path, mode, effective_ids=True)]
    if not missing:
        return ""
    message = f"User {os.geteuid()} has no {' and no '.join(missing)} permission on {path}"
    return f"{message}. Change the owner or the mode of it, or {_OTHER_PATH_ADVICE}"
