"""The watcher: reads pods, workloads and nodes of its cluster, and records the running images. Start with
``watcher.py``.

Threads (``feed.py``) keep the inventory up to date. Once per turn the inventory is written as rows (``row_writer.py``)
and then passed to the tasks (``mirrors/management/watcher_tasks.py`` has the list).
"""

from mirrors.watcher.watcher import Watcher

__all__ = ["Watcher"]
