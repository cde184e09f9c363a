"""The cluster's wish to stop, as all its processes see it: a flag in memory that was shared before the fork.

A worker process of django-q2 never hears of SIGTERM itself; it looks here. The flag has no lock, unlike
multiprocessing's Event: a process that is killed while it holds that lock would stop all others for ever.
"""

from __future__ import annotations

from ctypes import c_bool
from multiprocessing import get_context

_flag: c_bool | None = None


def prepare() -> None:
    """Make the flag; to be called once, before the cluster forks."""
    global _flag
    _flag = get_context("fork").RawValue(c_bool, False)


def request() -> None:
    """May be called by a signal handler."""
    if _flag is not None:
        _flag.value = True


def is_requested() -> bool:
    return _flag is not None and bool(_flag.value)
