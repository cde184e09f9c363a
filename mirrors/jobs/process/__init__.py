"""The worker's processes, by django-q2. Begin in ``stoppable_cluster.py``, then ``drain.py``.

django-q2 starts, watches and stops processes, and carries wake-ups: a task without arguments that says no more than
"look for jobs". Jobs themselves are rows of ours, claimed by leases, because its queue has neither priorities nor
leases, loses tasks whose worker is killed, and repeats those that take long. What of it does not suit us is replaced
here, by its own extension points: the broker, signals, and the queues between processes.
"""
