"""The last answer of a slow query, for a while: pages ask again every few seconds."""

from __future__ import annotations

import time
from typing import Final, Generic, TypeVar

T = TypeVar("T")

SLOW_SECONDS: Final = 0.05
"""A query that took longer is not repeated at once: each open page asks every 5 seconds."""

KEPT_FACTOR: Final = 100
"""Its answer is kept for this many times its duration: then asking takes at most a hundredth of the time."""


class KeptAnswer(Generic[T]):
    """Of one process, while asking again would be slow."""

    def __init__(self) -> None:
        self._until = 0.0
        self._answer: T | None = None

    def get(self) -> T | None:
        return self._answer if time.monotonic() < self._until else None

    def put(self, answer: T, *, seconds: float) -> None:
        """``seconds`` is how long the query took."""
        if seconds > SLOW_SECONDS:
            self._until, self._answer = time.monotonic() + KEPT_FACTOR * seconds, answer

    def forget(self) -> None:
        self._until = 0.0
