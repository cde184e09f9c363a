"""Tools that keep reads cheap: answers kept for a while, rows of one query inside another, SQL that is compiled once.

Imports no other folder of the selectors; all of them may import it. Begin in ``subqueries.py``.
"""
