"""Whether the database was unavailable a short time ago, as far as this process has noticed.

Leases run out meanwhile though their holders live on. Those come first when it is back: nobody takes their jobs over
before they have had the time to renew.
"""

from __future__ import annotations

import time

from django.db import Error

from mirrors.jobs.queue.timing import timing
from swapper_project.process.database_errors import explain_database, is_out_of_space

_noticed_at: float | None = None
_out_of_space = ""


def notice(error: Error) -> None:
    """The database failed with this error just now."""
    global _noticed_at, _out_of_space
    _noticed_at = time.monotonic()
    if is_out_of_space(error):
        _out_of_space = explain_database(error)


def out_of_space() -> str:
    """What to do about a full disk that this process has noticed; empty where it has not."""
    return _out_of_space


def is_recent() -> bool:
    return _noticed_at is not None and time.monotonic() - _noticed_at < timing().lease
