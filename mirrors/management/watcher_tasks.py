"""What the watcher does with the inventory once a turn, beside writing it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mirrors.backfill.task import BackfillTask
from mirrors.watcher.inventory import InventoryTask
from mirrors.watcher.pulls.pull_failures import PullFailures
from mirrors.watcher.pulls.restart_loops import RestartLoops
from mirrors.watcher.readiness_task import ReadinessTask
from swapper_project.config import Config


def tasks_of(config: Callable[[], Config]) -> Sequence[InventoryTask]:
    """In the order in which they run."""
    return [PullFailures(config), RestartLoops(config), BackfillTask(config), ReadinessTask(config)]
