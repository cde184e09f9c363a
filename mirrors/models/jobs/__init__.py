"""Jobs: requests, attempts, errors, rate limits, leases, and the activity of users.

Imports all other folders of the models except ``clusters``. Start with ``jobs.py``.
"""
