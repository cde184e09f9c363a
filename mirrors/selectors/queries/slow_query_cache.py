"""A cache for the last result of a slow query, because pages repeat it every few seconds."""

from __future__ import annotations

import time
from typing import Final, Generic, TypeVar

T = TypeVar("T")

SLOW_SECONDS: Final = 0.05
"""Results of queries that take longer than this are cached, because each open page repeats them every 5 seconds."""

KEPT_FACTOR: Final = 100
"""A result is cached for this many times the query's duration, so that the query runs at most 1% of the time."""


class SlowQueryCache(Generic[T]):
    """A cache, in one process, for the last result of a slow query."""

    def __init__(self) -> None:
        self._until = 0.0
        self._result: T | None = None

    def get(self) -> T | None:
        return self._result if time.monotonic() < self._until else None

    def put(self, result: T, *, seconds: float) -> None:
        """Cache a result if its query was slow; ``seconds`` is the duration of the query."""
        if seconds > SLOW_SECONDS:
            self._until, self._result = time.monotonic() + KEPT_FACTOR * seconds, result

    def forget(self) -> None:
        self._until = 0.0
