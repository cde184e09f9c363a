"""A check of the calling thread's database connection before work. ``close_old_connections`` makes Django send a
statement for each check, which is too expensive several times per job."""

from __future__ import annotations

import select
import threading
import time
from typing import Final

from django.db import close_old_connections, connection

FULL_CHECK_SECONDS: Final = 5.0
"""Seconds between two checks by a statement. Only these find a connection whose packets are dropped."""


class _ThreadState(threading.local):
    next_full_check_at = 0.0


_state = _ThreadState()


def close_unusable_connection() -> None:
    """Close the connection if the server has closed it, so that the next statement opens another one. Every few
    seconds, have Django check it as ``close_old_connections`` does. In a transaction, do nothing."""
    if connection.in_atomic_block:
        return
    now = time.monotonic()
    if now >= _state.next_full_check_at:
        _state.next_full_check_at = now + FULL_CHECK_SECONDS
        close_old_connections()
    elif _is_closed_by_server():
        connection.close()


def _is_closed_by_server() -> bool:
    """Return whether an idle connection has data to read: the end of the connection, or the server's reason for it."""
    opened = connection.connection
    if opened is None or connection.vendor != "postgresql":
        return False
    if opened.closed:
        return True
    poll = select.poll()
    poll.register(opened.fileno(), select.POLLIN)
    return bool(poll.poll(0))
