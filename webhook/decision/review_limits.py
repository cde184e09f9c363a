"""The limits of one review: which actions it is allowed to take, and until when it can wait."""

from __future__ import annotations

import time
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ReviewLimits:
    """The limits of one review. ``deadline`` is monotonic. Without ``can_query``, the review uses only data in memory:
    it queries neither database nor registries."""

    deadline: float
    namespace: str = ""
    platforms: frozenset[str] = frozenset()
    """The platforms (``os/arch``) that the pod is bound to; empty: it can run on any platform of the cluster."""
    can_query: bool = True
    can_record: bool = True

    def remaining(self, at_most: float = 60.0) -> float:
        return max(0.0, min(self.deadline - time.monotonic(), at_most))
