"""Limits of requests to registries, over all workers: budgets of hosts, rate limits, pulls of accounts, fair shares.

Begin in ``host_limits.py``. Times are by the database's clock.
"""
