"""Jobs: requests for copies, quotas, wake-ups, and the actions of users on jobs.

Imports no other folder of the services; all of them can import this one. Start with ``mirroring.py``.
"""
