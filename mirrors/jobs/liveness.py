"""The worker's sign of life: a file that its sentinel and its copies touch, whatever database and queue do."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path

from django.conf import settings

NAME = "worker-heartbeat"


def heartbeat_file() -> Path:
    path: Path = settings.ENVIRONMENT.data_dir / NAME
    return path


def touch() -> None:
    """Never fails: a full disk must not end a copy."""
    with suppress(OSError):
        heartbeat_file().touch()


def age() -> float | None:
    """Seconds since the last sign of life; None without any."""
    try:
        return max(0.0, time.time() - heartbeat_file().stat().st_mtime)
    except OSError:
        return None
