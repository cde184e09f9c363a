"""How much may be asked of registries, over all workers: budgets of hosts, rate limits, pulls of accounts, fair shares.

Begin in ``host_limits.py``. Times are by the database's clock.
"""
