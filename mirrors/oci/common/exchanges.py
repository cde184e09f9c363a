"""The requests of one call to registries, in a form that is safe to show: no queries, no paths of uploads or
storage."""

from __future__ import annotations

import re
import threading
from collections import Counter, deque
from dataclasses import dataclass
from typing import Final

MOST_KEPT: Final = 50
"""The number of exchanges that are kept, the last ones: about 5 KB of text. A small image needs 25."""

_PATH = re.compile(
    r"/v2/([a-z0-9._/-]{1,255})/(manifests|blobs|referrers)/([A-Za-z0-9_][A-Za-z0-9_.:-]{0,199}|uploads/)"
)
_DIGITS: Final = 19
"""Characters of a digest that are shown: the algorithm, and enough digits to identify it."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and its response; `status` 0 means that none arrived. `path` is from `redacted_path`. If the response
    is streamed, `seconds` end with its headers."""

    method: str
    host: str
    path: str
    status: int
    seconds: float

    def __str__(self) -> str:
        status = self.status or "no response"
        return f"{self.method} {self.host}{self.path} {status} {1000 * self.seconds:.0f} ms"


class ExchangeLog:
    """Counts all exchanges, and keeps the last ones. Thread-safe."""

    def __init__(self) -> None:
        self._last: deque[Exchange] = deque(maxlen=MOST_KEPT)
        self._statuses: Counter[int] = Counter()
        self._lock = threading.Lock()

    def add(self, exchange: Exchange) -> None:
        with self._lock:
            self._last.append(exchange)
            self._statuses[exchange.status] += 1

    def lines(self, *, each: bool) -> list[str]:
        """Return the counts by status and, with `each`, one line for each of the last exchanges. Empty if there were
        none."""
        with self._lock:
            statuses, last = sorted(self._statuses.items()), list(self._last)
        if not statuses:
            return []
        counts = ", ".join(f"{status or 'no response'}: {count}" for status, count in statuses)
        total = sum(count for _, count in statuses)
        suffix = f", the last {len(last)}:" if each and total > len(last) else ":" if each else ""
        return [
            f"{total} request{'' if total == 1 else 's'} by status ({counts}){suffix}",
            *(f"  {exchange}" for exchange in last if each),
        ]


def redacted_path(target: str) -> str:
    """Return a path of the distribution API without its query. Any other is left out, because it may contain a
    secret."""
    match = _PATH.fullmatch(target.partition("?")[0])
    if match is None:
        return "/…"
    repository, kind, reference = match.groups()
    return f"/v2/{repository}/{kind}/{reference[:_DIGITS] if ':' in reference else reference}"
