"""Whether copies must stop: because the whole cluster stops, or because this worker process was asked to end.

The first is a flag in memory that was shared before the fork. It has no lock, unlike multiprocessing's Event: a process
that is killed while it holds that lock would stop all others forever.
"""

from __future__ import annotations

from ctypes import c_bool
from multiprocessing import get_context

_flag: c_bool | None = None
_is_leaving = False
"""Of this process alone."""


def prepare() -> None:
    """Make the flag; to be called once, before the cluster forks."""
    global _flag
    _flag = get_context("fork").RawValue(c_bool, False)


def request() -> None:
    """May be called by a signal handler."""
    if _flag is not None:
        _flag.value = True


def leave() -> None:
    """Stop the copies of this process alone. May be called by a signal handler."""
    global _is_leaving
    _is_leaving = True


def is_leaving() -> bool:
    """Whether this process ends when its copies have stopped, and the others continue."""
    return _is_leaving


def is_requested() -> bool:
    return _is_leaving or (_flag is not None and bool(_flag.value))
