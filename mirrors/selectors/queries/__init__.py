"""What all selectors are built of: the search, the names of clusters, and tools that keep reads cheap (answers kept for
a while, rows of one query inside another, SQL that is compiled once).

Imports no other folder of the selectors; all of them may import it. Begin in ``search.py``.
"""
