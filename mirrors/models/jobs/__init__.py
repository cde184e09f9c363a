"""Jobs: requests, attempts, errors, rate limits, leases, and the activity of users.

Imports the folders of images and configuration, not ``clusters``. Begin in ``jobs.py``.
"""
