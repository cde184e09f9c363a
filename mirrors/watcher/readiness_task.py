"""The watcher's task that records samples of readiness."""

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
"""Seconds between two drills. Each takes a second or two in a large cluster, and alerts wait for longer than this."""


class ReadinessTask:
    """The task that runs this cluster's fire drill with all sources unreachable, and records the result."""

    def __init__(self, config_source: Callable[[], Config], *, every: float = DRILL_EVERY) -> None:
        self._config = config_source
        self._every = every
        self._next = 0.0

    def run(self, inventory: Inventory) -> None:
        """Run a drill if one is due. It reads rows, not the inventory, so that the sample matches the page."""
        if time.monotonic() < self._next:
            return
        config = self._config()
        try:
            samples.record(run_drill(DrillRequest(config.cluster_name), config))
        except NotListedError:
            return  # The first list is not complete yet: the next turn checks again.
        self._next = time.monotonic() + self._every
