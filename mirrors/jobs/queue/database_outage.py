"""Whether the database was unavailable a short time ago, as far as this process has noticed.

Leases run out meanwhile though their holders live on. Those come first when it is back: nobody takes their jobs over
before they have had the time to renew.
"""

from __future__ import annotations

import time

from mirrors.jobs.queue.timing import timing

_noticed_at: float | None = None


def notice() -> None:
    """The database did not answer just now."""
    global _noticed_at
    _noticed_at = time.monotonic()


def is_recent() -> bool:
    return _noticed_at is not None and time.monotonic() - _noticed_at < timing().lease
