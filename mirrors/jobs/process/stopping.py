"""Whether copies must stop, because the whole cluster stops or because only this worker process stops.

The stop of the cluster is a flag in memory that is shared by the forked processes. It has no lock, unlike
multiprocessing's Event: a process that is killed while it holds the lock would block all others permanently.
"""

from __future__ import annotations

from ctypes import c_bool
from multiprocessing import get_context

_flag: c_bool | None = None
_is_process_stopping = False
"""Whether only this process stops."""


def prepare() -> None:
    """Create the flag. Call this once, before the cluster forks its processes."""
    global _flag
    _flag = get_context("fork").RawValue(c_bool, False)


def request() -> None:
    """Stop the copies of all processes. Safe to call from a signal handler."""
    if _flag is not None:
        _flag.value = True


def request_process_stop() -> None:
    """Stop the copies of only this process. Safe to call from a signal handler."""
    global _is_process_stopping
    _is_process_stopping = True


def is_process_stopping() -> bool:
    """Return whether this process exits when its copies have stopped, while the other processes continue."""
    return _is_process_stopping


def is_requested() -> bool:
    return _is_process_stopping or (_flag is not None and bool(_flag.value))
