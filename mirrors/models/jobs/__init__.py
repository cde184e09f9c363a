"""Jobs: requests, attempts, errors, limits of hosts, leases, backfills, and what users did to them.

Imports the folders of images and configuration, not ``clusters``. Begin in ``jobs.py``.
"""
