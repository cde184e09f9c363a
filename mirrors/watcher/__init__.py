"""The watcher: reads pods, workloads and nodes of its cluster, and writes what runs. Begin in ``watcher.py``.

Threads (``feed.py``) keep the inventory up to date; once a turn it is written as rows (``row_writer.py``), and then
handed to the tasks (``mirrors/management/watcher_tasks.py`` has the list).
"""

from mirrors.watcher.watcher import Watcher

__all__ = ["Watcher"]
