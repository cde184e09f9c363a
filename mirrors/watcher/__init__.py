"""The watcher: reads pods, workloads and nodes of its cluster, and writes what runs. Begin in ``watcher.py``.

Threads (``feed.py``) keep the inventory up to date; once a turn it is written as rows (``row_writer.py``), and then
handed to the tasks (``tasks.py``).
"""

from mirrors.watcher.tasks import tasks_of
from mirrors.watcher.watcher import Watcher

__all__ = ["Watcher", "tasks_of"]
