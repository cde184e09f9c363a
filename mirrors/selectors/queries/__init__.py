"""Building blocks of all selectors: the search, the names of clusters, and tools that keep reads cheap (cached results
of slow queries, subqueries, and statements that are compiled once).

This folder imports no other folder of the selectors; all of them can import it. Start reading in ``search.py``.
"""
