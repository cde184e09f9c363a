"""The limits of one review: what it may do, and until when it may wait."""

from __future__ import annotations

import time
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ReviewLimits:
    """The limits of one review. ``deadline`` is monotonic; who may not ask is answered from memory alone."""

    deadline: float
    namespace: str = ""
    platforms: frozenset[str] = frozenset()
    """``os/arch`` that the pod binds itself to; empty: any of the cluster's."""
    may_ask: bool = True
    may_write: bool = True

    def left(self, at_most: float = 60.0) -> float:
        return max(0.0, min(self.deadline - time.monotonic(), at_most))
