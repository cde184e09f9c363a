"""Expensive artifacts that all tests share: created once per run, regardless of the number of processes."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from tests.support.run import MARK

SHARED: Final = "SWAPPER_TEST_SHARED_DIR"
"""The environment variable that names a directory shared by several related runs, one for each suite."""


def create_once(name: str, make: Callable[[Path], object], *, by_all_suites: bool = False) -> Path:
    """Return a directory of this run. The first process that requests it fills it with ``make``, and others wait. With
    ``by_all_suites``, concurrent runs of other suites share the directory: its content must not depend on the server or
    port of a run."""
    shared = os.environ.get(SHARED) if by_all_suites else None
    directory = Path(shared or os.environ[MARK]) / name
    with directory.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not directory.exists():
            unfinished = directory.with_suffix(".unfinished")
            unfinished.mkdir(exist_ok=True)
            make(unfinished)
            unfinished.rename(directory)
    return directory
