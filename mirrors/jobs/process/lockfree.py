"""State that the cluster's processes share without locks. It replaces the multiprocessing queues, events and values
that django-q2 uses.

The multiprocessing classes acquire a lock even to wait, and a process that is killed while it holds the lock blocks all
others permanently. Each idle worker holds the lock of its queue. With the classes of this module, the kernel orders the
accesses, and releases everything that a killed process held.
"""

from __future__ import annotations

import pickle
import select
import socket
import time
from contextlib import AbstractContextManager, nullcontext
from ctypes import c_bool, c_double
from multiprocessing import get_context
from typing import Any, Final

import django_q.cluster

from mirrors.jobs.process import stopping

CHANGE_CHECK_INTERVAL: Final = 0.05
"""Seconds between two checks for changes by other processes."""

LARGEST_MESSAGE: Final = 1 << 20
"""The size of the receive buffer in bytes. The kernel refuses to send messages that are this large."""


class Flag:
    """An event that is shared by all processes and cannot be cleared."""

    def __init__(self) -> None:
        self._is_set = get_context("fork").RawValue(c_bool, False)

    def set(self) -> None:
        self._is_set.value = True

    def is_set(self) -> bool:
        return bool(self._is_set.value)

    def wait(self, timeout: float) -> bool:
        deadline = time.monotonic() + timeout
        while not self.is_set() and (remaining := deadline - time.monotonic()) > 0:
            time.sleep(min(CHANGE_CHECK_INTERVAL, remaining))
        return self.is_set()


class SharedNumber:
    """A number that processes share, such as a worker's timer. Both the worker and its sentinel write the timer; the
    last write wins."""

    def __init__(self, typecode: str, value: float) -> None:
        self._number = get_context("fork").RawValue(c_double, value)

    @property
    def value(self) -> float:
        return float(self._number.value)

    @value.setter
    def value(self, value: float) -> None:
        self._number.value = value

    def get_lock(self) -> AbstractContextManager[None]:
        return nullcontext()


class Channel:
    """A queue of small messages, each received as a whole by one process. With any ``maxsize`` above 0, it holds only
    one message."""

    def __init__(self, maxsize: int = 0) -> None:
        self._is_bounded = maxsize > 0
        self._reader, self._writer = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)

    def put(self, message: Any) -> None:
        """Send a message. A bounded queue first waits until it is empty, except while the cluster is being stopped,
        because django-q2's stop messages must be delivered."""
        while self._is_bounded and not self.empty() and not stopping.is_requested():
            time.sleep(CHANGE_CHECK_INTERVAL)
        self._writer.send(pickle.dumps(message))

    def get(self) -> Any:
        """Return the next message; blocks until there is one."""
        return pickle.loads(self._reader.recv(LARGEST_MESSAGE))  # noqa: S301  our own processes are at the other end

    def empty(self) -> bool:
        return not select.select([self._reader], [], [], 0)[0]

    def qsize(self) -> int:
        """Return 1 if messages are waiting, else 0: the kernel does not report their number."""
        return int(not self.empty())

    def close(self) -> None:
        """Do nothing: messages that were sent before can still be received."""

    def join_thread(self) -> None:
        """Do nothing: the queue has no thread."""


def install() -> None:
    """Have django-q2's cluster use these classes. Call this before the cluster is created."""
    replacements = {"Event": Flag, "Value": SharedNumber, "Queue": Channel}
    for name, replacement in replacements.items():
        setattr(django_q.cluster, name, replacement)
