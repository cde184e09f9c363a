"""The cache of this process's drills, because pages and API request the same drills repeatedly."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from typing import Final

from mirrors.readiness.drill import DrillRequest, run_drill
from mirrors.readiness.drill_results import Drill
from swapper_project.config import Config
from webhook.decision.suspensions import TargetState

DRILL_CACHE_SECONDS: Final = 60.0
"""Seconds for which a drill is cached."""

MOST_CACHED_DRILLS: Final = 4
"""The maximum number of cached drills. The result of 50,000 rows takes about 20 MB if no row is protected."""

_LOCK = threading.Lock()
_cache: dict[tuple[DrillRequest, str], tuple[float, Drill]] = {}


def recent_drill(request: DrillRequest, config: Config, targets: Iterable[TargetState] | None = None) -> Drill:
    """Return a drill that is at most a minute old. Only one drill runs at a time; other threads wait for it. Raises the
    errors of ``run_drill``."""
    key = (request, config.digest)
    with _LOCK:
        taken_at, drill = _cache.get(key, (0.0, None))
        if drill is None or time.monotonic() - taken_at > DRILL_CACHE_SECONDS:
            _cache.pop(key, None)
            drill = run_drill(request, config, targets)
            while len(_cache) >= MOST_CACHED_DRILLS:
                _cache.pop(min(_cache, key=lambda entry: _cache[entry][0]))
            _cache[key] = (time.monotonic(), drill)
    return drill


def forget() -> None:
    """Clear the cache, because missing images were just requested."""
    with _LOCK:
        _cache.clear()
