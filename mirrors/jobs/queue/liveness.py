"""The worker's sign of life: a time that its sentinel and its copies renew, whatever database, queue and disk do.

It is in memory that was shared before the fork; a file shows it to programs that cannot ask over HTTP.
"""

from __future__ import annotations

import time
from contextlib import suppress
from ctypes import c_double
from multiprocessing import get_context
from pathlib import Path

from django.conf import settings

HEARTBEAT_FILE = "worker-heartbeat"

_touched_at: c_double | None = None
"""By the clock that all processes of this machine share; zero: not yet."""


def prepare() -> None:
    """Make the time; to be called once, before the cluster forks."""
    global _touched_at
    _touched_at = get_context("fork").RawValue(c_double, 0.0)


def heartbeat_file() -> Path:
    path: Path = settings.ENVIRONMENT.data_dir / HEARTBEAT_FILE
    return path


def touch() -> None:
    """Never fails: a full or missing disk must not end a copy."""
    if _touched_at is not None:
        _touched_at.value = time.monotonic()
    with suppress(OSError):
        heartbeat_file().touch()


def age() -> float | None:
    """Seconds since the last sign of life; None without any."""
    if _touched_at is None or not _touched_at.value:
        return None
    return max(0.0, time.monotonic() - _touched_at.value)
