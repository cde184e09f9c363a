"""The worker's liveness: a timestamp that its sentinel and its heartbeats renew, independently of the database, the
queue and the disk.

The timestamp is in memory that is shared by the forked processes. The modification time of a file shows it to programs
that cannot query the worker over HTTP.
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
"""The time of the last sign of life, by the monotonic clock, which all processes of a machine share; 0: none yet."""


def prepare() -> None:
    """Create the shared timestamp. Call this once, before the cluster forks its processes."""
    global _touched_at
    _touched_at = get_context("fork").RawValue(c_double, 0.0)


def heartbeat_file() -> Path:
    path: Path = settings.ENVIRONMENT.data_dir / HEARTBEAT_FILE
    return path


def touch() -> None:
    """Renew the timestamp. Never raises: a full or missing disk must not fail a copy."""
    if _touched_at is not None:
        _touched_at.value = time.monotonic()
    with suppress(OSError):
        heartbeat_file().touch()


def age() -> float | None:
    """Return the seconds since the last sign of life; None if there was none."""
    if _touched_at is None or not _touched_at.value:
        return None
    return max(0.0, time.monotonic() - _touched_at.value)
