"""Free ports and networks of the loopback range, and a function that waits for a condition."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

CLAIM_PORT = 47_471
"""The port that is bound on a network's last address while the network is in use. No test uses this number."""


def free_port() -> int:
    """Return a port that no process listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@contextmanager
def loopback_network() -> Iterator[str]:
    """Yield the first two numbers of a loopback /16 that no other test run on this machine uses at the same time."""
    with socket.socket() as claim:
        for number in range(64, 255):
            try:
                claim.bind((f"127.{number}.255.254", CLAIM_PORT))
            except OSError:
                continue
            yield f"127.{number}"
            return
    raise AssertionError("no network of the loopback range is free")


PATIENCE = 60.0
"""Seconds that a test waits for an event that takes one or two on an idle machine. On a busy machine, starting a
process takes ten."""


POLL_EVERY = 0.02
"""Seconds between two checks of a condition. A slower check is followed by a pause as long as itself, because tests
wait for other processes, which need the processors more than the checks do."""

LONGEST_PAUSE = 0.5
"""The longest pause in seconds, however long a check took, as on a busy machine."""


def wait_until(condition: Callable[[], object], *, timeout: float = PATIENCE, what: str = "the condition") -> None:
    """Poll ``condition`` until it is true. Raise AssertionError with ``what`` in its message on timeout."""
    deadline = time.monotonic() + timeout
    started = time.monotonic()
    while not condition():
        result = time.monotonic()
        if result > deadline:
            raise AssertionError(f"Timed out after {timeout:g} s waiting for {what}")
        time.sleep(min(max(POLL_EVERY, result - started), LONGEST_PAUSE))
        started = time.monotonic()
