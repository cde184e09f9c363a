"""The worker's processes, by django-q2. Start with ``stoppable_cluster.py``, then ``drain.py``.

django-q2 starts, supervises and stops processes, and delivers wake-ups: tasks without arguments that only mean "check
for due jobs". Jobs themselves are rows of our own models, claimed by leases, because django-q2's queue has neither
priorities nor leases, loses tasks whose worker is killed, and repeats long tasks. This package replaces the unsuitable
parts of django-q2 at its extension points: the broker, signals, and the queues between processes.
"""
