"""Free ports and networks of the loopback range, and a function that waits for a condition."""

from __future__ import annotations

import secrets
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

CLAIM_PORT = 47_471
"""The port that is bound on a network's last address while the network is in use. No test uses this number."""


PORTS = range(10_000, 32_768)
"""Ports for servers of tests: below those that Linux gives to outgoing connections (32768 to 60999). An outgoing
connection could otherwise take the port before its server listens, or connect to itself."""

PORTS_TRIED = 100
"""How many ports are tried before the search fails. Few of them are in use."""


def free_port() -> int:
    """Return a port that no process listens on now. Other test processes are unlikely to get the same one."""
    for _ in range(PORTS_TRIED):
        # Not from the module random, which hypothesis seeds equally in all processes.
        port = secrets.choice(PORTS)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError(f"no port from {PORTS.start} to {PORTS.stop - 1} is free")


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
