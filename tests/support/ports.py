"""Free ports and networks of the loopback range, and waiting for what listens there."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

CLAIM_PORT = 47_471
"""Bound on a network's last address while somebody uses the network; a number that no test asks for."""


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@contextmanager
def loopback_network() -> Iterator[str]:
    """The first two numbers of a /16 of the loopback range that no other test run on this machine uses meanwhile."""
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
"""Seconds that a test waits for what comes within one or two on an idle machine: a busy one starts a process in ten."""


POLL_EVERY = 0.02
"""Seconds between two looks at a condition. One that takes longer gets a pause as long as itself: tests wait for other
processes, which need the processors more than the looks do."""

LONGEST_PAUSE = 0.5
"""Seconds: a look that took this long, as on a busy machine, delays the test by no more."""


def wait_until(condition: Callable[[], object], *, timeout: float = PATIENCE, what: str = "the condition") -> None:
    """Poll ``condition`` until it is true; an AssertionError names ``what`` was waited for."""
    deadline = time.monotonic() + timeout
    began = time.monotonic()
    while not condition():
        ended = time.monotonic()
        if ended > deadline:
            raise AssertionError(f"{what} did not come within {timeout:g} s")
        time.sleep(min(max(POLL_EVERY, ended - began), LONGEST_PAUSE))
        began = time.monotonic()
