"""Drills of this process, kept for a minute: pages and API ask for the same ones again and again."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from typing import Final

from mirrors.readiness.drill import DrillRequest, run_drill
from mirrors.readiness.drill_results import Drill
from swapper_project.config import Config
from webhook.decision.suspensions import TargetState

ANSWER_SECONDS: Final = 60.0
"""Seconds for which an answer is given again."""

MOST_DRILLS_KEPT: Final = 4
"""Answers in memory: of 50,000 rows none of which is protected, one takes some 20 MB."""

_LOCK = threading.Lock()
_kept: dict[tuple[DrillRequest, str], tuple[float, Drill]] = {}


def recent_drill(asked: DrillRequest, config: Config, targets: Iterable[TargetState] | None = None) -> Drill:
    """At most a minute old. Raises what ``run_drill`` raises. One drill runs at a time: others wait for its answer."""
    key = (asked, config.digest)
    with _LOCK:
        taken_at, drill = _kept.get(key, (0.0, None))
        if drill is None or time.monotonic() - taken_at > ANSWER_SECONDS:
            _kept.pop(key, None)
            drill = run_drill(asked, config, targets)
            while len(_kept) >= MOST_DRILLS_KEPT:
                _kept.pop(min(_kept, key=lambda kept: _kept[kept][0]))
            _kept[key] = (time.monotonic(), drill)
    return drill


def forget() -> None:
    """Ask again: what is missing was just requested."""
    with _LOCK:
        _kept.clear()
