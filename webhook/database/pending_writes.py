"""Data that request threads record, kept in bounded buffers until the database thread writes it."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final

from mirrors import services
from mirrors.services import DecisionKey, SampledReview, TargetAnswer, UseKey
from swapper_project.process.monitoring import metrics
from webhook.database.chores import DATABASE_UNAVAILABLE

MOST_PENDING_ENTRIES: Final = 50_000
"""The maximum number of pending entries of each kind (a few MB); further ones are counted and dropped."""

ENTRIES_PER_FLUSH: Final = 500
"""The maximum number of entries written in one transaction, so that lookups do not wait long for it."""

MOST_UNMAPPED_USES: Final = 5_000
"""The maximum number of uses of images without a mapping."""

UNMAPPED_USE_EXPIRES_AFTER: Final = 3_600.0
"""Seconds for which the use of an image without a mapping is kept: most copies have finished by then."""

UNMAPPED_USE_RETRY_INTERVAL: Final = 9.0
"""Seconds between two attempts to write these uses: less than the time between two flushes, so each flush tries."""

MOST_PENDING_SAMPLES: Final = 100
"""The maximum number of samples that wait to be written, because lookups wait while all of them are written."""


class PendingWrites:
    """Uses, decisions, samples and registries' answers. Entries that do not fit are counted; the next pod records them
    again."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._uses: set[UseKey] = set()
        self._unmapped_uses: dict[UseKey, float] = {}
        self._retry_at = 0.0
        self._decisions: Counter[DecisionKey] = Counter()
        self._answers: dict[str, TargetAnswer] = {}
        self._samples: list[SampledReview] = []

    def add_review(self, decisions: Mapping[DecisionKey, int], uses: Iterable[UseKey]) -> None:
        """Buffer the decisions and uses of one review."""
        with self._lock:
            for key, images in decisions.items():
                if key in self._decisions or len(self._decisions) < MOST_PENDING_ENTRIES:
                    self._decisions[key] += images
                else:
                    metrics.STORE_OVERFLOWS.inc()
            for use in uses:
                if use in self._uses or len(self._uses) < MOST_PENDING_ENTRIES:
                    self._uses.add(use)
                else:
                    metrics.STORE_OVERFLOWS.inc()

    def add_sample(self, review: SampledReview) -> None:
        """Buffer a sample if there is room; otherwise drop it, because samples are not needed in full."""
        with self._lock:
            if len(self._samples) < MOST_PENDING_SAMPLES:
                self._samples.append(review)

    def add_answer(self, source: str, answer: TargetAnswer) -> None:
        with self._lock:
            if source in self._answers or len(self._answers) < MOST_PENDING_ENTRIES:
                self._answers[source] = answer
            else:
                metrics.STORE_OVERFLOWS.inc()

    # Methods for the database thread.

    def pop_answers(self) -> dict[str, TargetAnswer]:
        """Return the answers of the target since the last call, by source."""
        with self._lock:
            answers, self._answers = self._answers, {}
        return answers

    def flush_counts(self, target_registry_id: int | None, cluster: str) -> bool:
        """Write a part of the buffered data, for this cluster. Return whether more is left. Raises
        ``DATABASE_UNAVAILABLE``: then the data that was not written stays for the next call."""
        if target_registry_id is None:
            return False
        with self._lock:
            self._retry_unmapped()
            uses = {self._uses.pop() for _ in range(min(ENTRIES_PER_FLUSH, len(self._uses)))}
            decisions = dict(self._decisions.popitem() for _ in range(min(ENTRIES_PER_FLUSH, len(self._decisions))))
            samples, self._samples = self._samples, []
            is_more = bool(self._uses or self._decisions)
        try:
            if uses:
                unmapped = services.record_uses(target_registry_id=target_registry_id, cluster=cluster, uses=uses)
                self._update_unmapped(uses, unmapped)
                uses = set()
            if decisions:
                services.record_decisions(cluster=cluster, counts=decisions)
                decisions = {}
            if samples:
                services.record_samples(cluster=cluster, samples=samples)
        except DATABASE_UNAVAILABLE:
            self.add_review(decisions, uses)
            for sample in samples:
                self.add_sample(sample)
            raise
        return is_more

    def _update_unmapped(self, uses: set[UseKey], unmapped: set[UseKey]) -> None:
        """Keep uses without a mapping until a later flush finds a mapping."""
        now = time.monotonic()
        for use in uses:
            if use not in unmapped:
                self._unmapped_uses.pop(use, None)
            elif use in self._unmapped_uses or len(self._unmapped_uses) < MOST_UNMAPPED_USES:
                self._unmapped_uses.setdefault(use, now)

    def _retry_unmapped(self) -> None:
        """Buffer the uses without a mapping again, if it is time for that."""
        now = time.monotonic()
        if now < self._retry_at:
            return
        self._retry_at = now + UNMAPPED_USE_RETRY_INTERVAL
        self._unmapped_uses = {
            use: since for use, since in self._unmapped_uses.items() if now - since < UNMAPPED_USE_EXPIRES_AFTER
        }
        self._uses.update(self._unmapped_uses)
