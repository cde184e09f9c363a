"""Jobs: the queue, the progress of a copy, and what to do about a failed one.

The folders ``images``, ``clusters`` and ``overview`` may import it. Begin in ``job_queue.py``.
"""
