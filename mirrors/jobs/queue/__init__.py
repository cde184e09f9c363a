"""Jobs as rows: which is next, and who holds it. Begin in ``leases.py``.

Times are by the database's clock.
"""
