"""Jobs: the one way to request a copy, quotas and wake-ups, and what users do to jobs.

Imports no other folder of the services; all of them may import it. Begin in ``mirroring.py``.
"""
