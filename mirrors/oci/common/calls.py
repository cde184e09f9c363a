"""The limits of one caller: its time, and whether it has cancelled."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from typing import TypeVar

from mirrors.oci.common.errors import CopyCancelledError, RegistryError
from mirrors.oci.common.exchanges import ExchangeLog

POLL_SECONDS = 0.2
"""Seconds after which a wait checks again whether its call was cancelled."""

T = TypeVar("T")


class Call:
    """The time limit and the cancellation of one caller. Passed through every layer, so that each wait knows when to
    end.

    Thread-safe; `cancelled` is only called on the thread that created the call, because it may use a database
    connection. `exchanges` records the requests of the call.
    """

    def __init__(
        self,
        *,
        timeout: float | None = None,
        cancelled: Callable[[], bool] | None = None,
        exchanges: ExchangeLog | None = None,
    ) -> None:
        self.exchanges = exchanges
        self.deadline = None if timeout is None else time.monotonic() + timeout
        self._is_cancelled_by_caller = cancelled
        self._event = threading.Event()
        self._thread = threading.get_ident()

    def cancel(self) -> None:
        self._event.set()

    @property
    def is_cancelled(self) -> bool:
        is_own_thread = threading.get_ident() == self._thread
        if (
            self._is_cancelled_by_caller is not None
            and is_own_thread
            and not self._event.is_set()
            and self._is_cancelled_by_caller()
        ):
            self._event.set()
        return self._event.is_set()

    @property
    def has_timed_out(self) -> bool:
        """Whether the time is up."""
        return self.deadline is not None and time.monotonic() >= self.deadline

    def remaining(self, cap: float) -> float:
        """Return the seconds left, at most `cap`, never negative."""
        if self.deadline is None:
            return cap
        return max(0.0, min(cap, self.deadline - time.monotonic()))

    def check(self, host: str) -> None:
        """Raise CopyCancelledError if the call is cancelled, or RegistryError `timeout` if its time is up."""
        if self.is_cancelled:
            raise CopyCancelledError
        if self.has_timed_out:
            raise RegistryError("timeout", f"{host} did not respond in time", host=host)

    def sleep(self, seconds: float, host: str) -> None:
        wake_at = time.monotonic() + seconds
        self.check(host)
        while (remaining := wake_at - time.monotonic()) > 0:
            self._event.wait(self.remaining(min(remaining, POLL_SECONDS)))
            self.check(host)

    def wait_for(self, future: Future[T], host: str) -> T:
        """Return the result of a pool's task for this call. Raises as `check` does if the call ends during the wait."""
        while True:
            with suppress(TimeoutError):
                future.exception(self.remaining(POLL_SECONDS))
            if future.done():
                return future.result()
            self.check(host)

    @contextmanager
    def holding(self, lock: threading.Lock, host: str) -> Iterator[None]:
        """Hold the lock inside the block. Waits for it no longer than the call may last."""
        while not lock.acquire(timeout=self.remaining(POLL_SECONDS)):
            self.check(host)
        try:
            yield
        finally:
            lock.release()
