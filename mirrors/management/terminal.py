"""Commands that a person runs and may end: who that is, and the signals that end them."""

from __future__ import annotations

import getpass
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


def user_of_process(otherwise: str) -> str:
    """The user's name; ``otherwise`` for a process without one, as in a container."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return otherwise


@contextmanager
def until_signal() -> Iterator[threading.Event]:
    """An event that Ctrl-C and SIGTERM set, in place of ending the process."""
    stop = threading.Event()
    before = {number: signal.signal(number, lambda *_: stop.set()) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
