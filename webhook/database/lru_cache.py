"""A bounded cache and a recent maximum, which all threads of a webhook process share."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class LRUCache(Generic[K, V]):
    """A dictionary that drops the entry that was least recently read or written once it is full. Thread-safe."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._entries: OrderedDict[K, V] = OrderedDict()

    def get(self, key: K) -> V | None:
        with self._lock:
            value = self._entries.get(key)
            if value is not None:
                self._entries.move_to_end(key)
            return value

    def put(self, key: K, value: V) -> None:
        with self._lock:
            self._entries[key] = value
            self._entries.move_to_end(key)
            while len(self._entries) > self._limit:
                self._entries.popitem(last=False)

    def put_oldest(self, key: K, value: V) -> None:
        """Add a new entry as the first one to be dropped, if there is room. An existing entry is not changed."""
        with self._lock:
            if key not in self._entries and len(self._entries) < self._limit:
                self._entries[key] = value
                self._entries.move_to_end(key, last=False)

    def clear(self) -> None:
        with self._lock:
            self._entries.clear()

    def __contains__(self, key: K) -> bool:
        with self._lock:
            return key in self._entries

    def __len__(self) -> int:
        with self._lock:
            return len(self._entries)


class RecentMaximum:
    """The largest number that was recorded in the current or the previous span (seconds); 0 if there was none.

    Thread-safe.
    """

    def __init__(self, span: float = 60.0) -> None:
        self._span = span
        self._lock = threading.Lock()
        self._slots = {0: 0.0}

    def record(self, number: float) -> None:
        slot = int(time.monotonic() // self._span)
        with self._lock:
            self._slots = {s: n for s, n in self._slots.items() if s >= slot - 1}
            self._slots[slot] = max(self._slots.get(slot, 0.0), number)

    def value(self) -> float:
        slot = int(time.monotonic() // self._span)
        with self._lock:
            return max((n for s, n in self._slots.items() if s >= slot - 1), default=0.0)
