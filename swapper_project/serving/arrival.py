"""The time at which the request that a thread now answers had arrived: it may have waited for the thread."""

from __future__ import annotations

import threading
import time

_this_thread = threading.local()


def note(at: float) -> None:
    """For the server, before a request is handled on this thread (monotonic seconds)."""
    _this_thread.at = at


def of_request() -> float:
    """The arrival time of the request; the current time for other servers."""
    at = getattr(_this_thread, "at", 0.0)
    return at if at else time.monotonic()
