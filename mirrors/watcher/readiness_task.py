"""The watcher's task that takes the samples."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

import structlog

from mirrors.readiness import samples
from mirrors.readiness.drill import DrillRequest, NotListedError, run_drill
from mirrors.watcher.inventory import Inventory
from swapper_project.config import Config

log = structlog.get_logger(__name__)

DRILL_EVERY: Final = 300.0
"""Seconds between two drills: each takes a second or two in a large cluster, and an alert waits for longer."""


class ReadinessTask:
    """Runs the drill without all sources, of this cluster, and writes what it found."""

    def __init__(self, config_source: Callable[[], Config], *, every: float = DRILL_EVERY) -> None:
        self._config = config_source
        self._every = every
        self._next = 0.0

    def run(self, inventory: Inventory) -> None:
        """Rows are read, not the inventory: what the page shows and what is written are the same."""
        if time.monotonic() < self._next:
            return
        config = self._config()
        try:
            samples.record(run_drill(DrillRequest(config.cluster_name), config))
        except NotListedError:
            return  # The first list is on its way: the next turn looks again.
        self._next = time.monotonic() + self._every
