"""Helpers for interactive commands: the user who runs them, and the signals that stop them."""

from __future__ import annotations

import getpass
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


def user_of_process(default: str) -> str:
    """Return the name of the process's user; ``default`` if it has no name, as in a container."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return default


@contextmanager
def until_signal() -> Iterator[threading.Event]:
    """Yield an event that Ctrl-C and SIGTERM set instead of stopping the process."""
    stop = threading.Event()
    previous = {number: signal.signal(number, lambda *_: stop.set()) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
