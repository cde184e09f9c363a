"""What is expensive to make and the same for all tests: made once a run, whatever the number of its processes."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from tests.support.run import MARK

SHARED: Final = "SWAPPER_TEST_SHARED_DIR"
"""Of the environment: a directory of several runs that belong together, one for each suite."""


def made_once(name: str, make: Callable[[Path], object], *, by_all_suites: bool = False) -> Path:
    """A directory of this run. The first process that asks for it has ``make`` fill it; others wait meanwhile.
    ``by_all_suites``: it holds for whatever server or port a run has, so that runs beside this one may have it too."""
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
