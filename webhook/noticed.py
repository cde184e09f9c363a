"""What request threads notice, kept in bounded buffers until the store's thread writes it."""

from __future__ import annotations

import threading
from collections import Counter
from typing import Final

from mirrors import services
from mirrors.services import DecisionKey, UseKey

BUFFERED: Final = 50_000


class Noticed:
    """Uses, decisions and registries' answers. What overflows is counted, and heals by the next pod."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._uses: set[UseKey] = set()
        self._decisions: Counter[DecisionKey] = Counter()
        self._existence: dict[str, tuple[str, str]] = {}
        self.overflowed = 0

    def use(self, key: UseKey) -> None:
        with self._lock:
            if len(self._uses) < BUFFERED:
                self._uses.add(key)
            else:
                self.overflowed += 1

    def decision(self, key: DecisionKey) -> None:
        with self._lock:
            if key in self._decisions or len(self._decisions) < BUFFERED:
                self._decisions[key] += 1
            else:
                self.overflowed += 1

    def existence(self, source: str, state: str, digest: str) -> None:
        with self._lock:
            if source in self._existence or len(self._existence) < BUFFERED:
                self._existence[source] = (state, digest)
            else:
                self.overflowed += 1

    # What the store's thread calls.

    def take_existence(self) -> dict[str, tuple[str, str]]:
        """Answers of targets since the last call: ``{source: (existence, digest)}``."""
        with self._lock:
            answers, self._existence = self._existence, {}
        return answers

    def flush_counts(self) -> None:
        """Write what was counted; raises what the database raises, and what was taken out is lost then."""
        with self._lock:
            uses, self._uses = self._uses, set()
            decisions, self._decisions = self._decisions, Counter()
        if uses:
            services.record_uses(uses=uses)
        if decisions:
            services.record_decisions(counts=decisions)
