"""State that the cluster's processes share without a lock: in place of django-q2's queues, events and values.

Those of multiprocessing take a lock even to wait. A process that is killed while it holds one stops all the others for
ever: each idle worker holds the queue's. Here the kernel keeps the order, and lets go of what a killed process had.
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

CHANGE_LOOK_EVERY: Final = 0.05
"""Seconds between two looks for what another process has changed."""

LARGEST_MESSAGE: Final = 1 << 20
"""Bytes; the kernel refuses to send as many."""


class Flag:
    """An event: once set, it is for all processes."""

    def __init__(self) -> None:
        self._is_set = get_context("fork").RawValue(c_bool, False)

    def set(self) -> None:
        self._is_set.value = True

    def is_set(self) -> bool:
        return bool(self._is_set.value)

    def wait(self, timeout: float) -> bool:
        deadline = time.monotonic() + timeout
        while not self.is_set() and (left := deadline - time.monotonic()) > 0:
            time.sleep(min(CHANGE_LOOK_EVERY, left))
        return self.is_set()


class SharedNumber:
    """A worker's timer. The worker and its sentinel may both write it: who is later by a moment wins."""

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
    """A queue of small messages, each read whole by one process. With ``maxsize`` one waits in it, and no more."""

    def __init__(self, maxsize: int = 0) -> None:
        self._is_bounded = maxsize > 0
        self._reader, self._writer = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)

    def put(self, message: Any) -> None:
        """Waits for room, but not in a cluster that is being stopped: its own messages must get through."""
        while self._is_bounded and not self.empty() and not stopping.is_requested():
            time.sleep(CHANGE_LOOK_EVERY)
        self._writer.send(pickle.dumps(message))

    def get(self) -> Any:
        """The next message, once there is one."""
        return pickle.loads(self._reader.recv(LARGEST_MESSAGE))  # noqa: S301  our own processes are at the other end

    def empty(self) -> bool:
        return not select.select([self._reader], [], [], 0)[0]

    def qsize(self) -> int:
        """Whether one waits: the kernel does not count them."""
        return int(not self.empty())

    def close(self) -> None:
        """Close the queue; what was put in is still read."""

    def join_thread(self) -> None:
        """There is none."""


def install() -> None:
    """To be called before the cluster is made."""
    replaced = {"Event": Flag, "Value": SharedNumber, "Queue": Channel}
    for name, ours in replaced.items():
        setattr(django_q.cluster, name, ours)
