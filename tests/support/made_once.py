"""What is expensive to make and the same for all tests: made once a run, whatever the number of its processes."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from pathlib import Path

from tests.support.run import MARK


def made_once(name: str, make: Callable[[Path], object]) -> Path:
    """A directory of this run. The first process that asks for it has ``make`` fill it; others wait meanwhile."""
    directory = Path(os.environ[MARK]) / name
    with directory.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not directory.exists():
            unfinished = directory.with_suffix(".unfinished")
            unfinished.mkdir(exist_ok=True)
            make(unfinished)
            unfinished.rename(directory)
    return directory
