"""What request threads notice, kept in bounded buffers until the store's thread writes it."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final

from mirrors import services
from mirrors.services import DecisionKey, SampledReview, TargetAnswer, UseKey
from swapper_project import metrics

BUFFERED: Final = 50_000
FLUSHED: Final = 500
SAMPLES: Final = 100
"""Of each kind at once: look-ups must not wait behind all of them."""


class Noticed:
    """Uses, decisions, samples and registries' answers. What overflows is counted, and heals by the next pod."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._uses: set[UseKey] = set()
        self._decisions: Counter[DecisionKey] = Counter()
        self._existence: dict[str, TargetAnswer] = {}
        self._samples: list[SampledReview] = []

    def review(self, decisions: Mapping[DecisionKey, int], uses: Iterable[UseKey]) -> None:
        """What one review came to."""
        with self._lock:
            for key, images in decisions.items():
                if key in self._decisions or len(self._decisions) < BUFFERED:
                    self._decisions[key] += images
                else:
                    metrics.STORE_OVERFLOWS.inc()
            for use in uses:
                if use in self._uses or len(self._uses) < BUFFERED:
                    self._uses.add(use)
                else:
                    metrics.STORE_OVERFLOWS.inc()

    def sample(self, review: SampledReview) -> None:
        """One review to keep, where there is room; samples that are lost are no loss."""
        with self._lock:
            if len(self._samples) < SAMPLES:
                self._samples.append(review)

    def existence(self, source: str, answer: TargetAnswer) -> None:
        with self._lock:
            if source in self._existence or len(self._existence) < BUFFERED:
                self._existence[source] = answer
            else:
                metrics.STORE_OVERFLOWS.inc()

    # What the store's thread calls.

    def take_existence(self) -> dict[str, TargetAnswer]:
        """Answers of targets since the last call, by source."""
        with self._lock:
            answers, self._existence = self._existence, {}
        return answers

    def flush_counts(self) -> bool:
        """Write a part of what was counted; whether more is left. Raises what the database raises, and what was taken
        out is lost then."""
        with self._lock:
            uses = {self._uses.pop() for _ in range(min(FLUSHED, len(self._uses)))}
            decisions = dict(self._decisions.popitem() for _ in range(min(FLUSHED, len(self._decisions))))
            samples, self._samples = self._samples, []
            is_more = bool(self._uses or self._decisions)
        if uses:
            services.record_uses(uses=uses)
        if decisions:
            services.record_decisions(counts=decisions)
        if samples:
            services.record_samples(samples=samples)
        return is_more
