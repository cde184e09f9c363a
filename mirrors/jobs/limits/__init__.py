"""Limits of requests to registries, across all workers: budgets and rate limits of hosts, pull limits of accounts, and
fair shares of a process's slots.

Start with ``host_limits.py``. Times are by the database's clock.
"""
