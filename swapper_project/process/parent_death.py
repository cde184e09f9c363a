"""Stops a child process when its parent dies (Linux only). Otherwise it would run alongside its replacement."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Callable
from typing import Final

PR_SET_PDEATHSIG: Final = 1
"""The option of prctl(2) for the signal that a process gets when its parent dies."""


def die_with_parent(number: signal.Signals) -> Callable[[int], None]:
    """Return a function that a child calls first, with the ID of its parent process, so that the child gets this signal
    when the parent dies. Create it in the parent, because nothing must be loaded between fork and call. The function
    does nothing on other systems than Linux."""
    if sys.platform != "linux":
        return lambda parent: None
    prctl = ctypes.CDLL(None).prctl

    def set_death_signal(parent: int) -> None:
        prctl(PR_SET_PDEATHSIG, number)
        # If the parent died before the call of prctl, no signal is sent.
        if os.getppid() != parent:
            os.kill(os.getpid(), signal.SIGKILL)

    return set_death_signal
