"""Ends a child process with its parent (Linux): otherwise it would continue to run beside its replacement."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Callable
from typing import Final

PR_SET_PDEATHSIG: Final = 1
"""Of prctl(2): the signal that a process gets when its parent ends."""


def follower(number: signal.Signals) -> Callable[[int], None]:
    """Return what a child calls first, with the id of the process that made it: it gets this signal when that one ends.
    Made in the parent: nothing is loaded between fork and call. Elsewhere than on Linux it does nothing."""
    if sys.platform != "linux":
        return lambda parent: None
    prctl = ctypes.CDLL(None).prctl

    def follow(parent: int) -> None:
        prctl(PR_SET_PDEATHSIG, number)
        # A parent that was killed before that call sends no signal.
        if os.getppid() != parent:
            os.kill(os.getpid(), signal.SIGKILL)

    return follow
