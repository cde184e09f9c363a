"""The job queue in the database: the choice of the next job, claims and leases. Start with ``leases.py``.

Times are by the database's clock.
"""
