"""The arrival time of the request that a thread handles. The request may have waited for the thread after that."""

from __future__ import annotations

import threading
import time

_this_thread = threading.local()


def record(at: float) -> None:
    """Record the arrival time (monotonic seconds). The server calls this before it handles a request on this thread."""
    _this_thread.at = at


def of_request() -> float:
    """Return the arrival time of the current request; the current time with other servers."""
    at = getattr(_this_thread, "at", 0.0)
    return at if at else time.monotonic()
