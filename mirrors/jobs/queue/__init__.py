"""Jobs as rows: which is next, who holds it, and which hosts may be asked. Begin in ``leases.py``.

Times are by the database's clock.
"""
