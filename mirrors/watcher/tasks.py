"""What is done with the inventory once a turn, beside writing it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mirrors.watcher.inventory import InventoryTask
from swapper_project.config import Config


def tasks_of(config: Callable[[], Config]) -> Sequence[InventoryTask]:
    """In the order in which they run."""
    return []
