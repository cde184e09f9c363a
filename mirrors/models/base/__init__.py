"""The common parts of rows: the column of their cluster, revision numbers, indexes of large tables.

Imports no other folder of the models. Begin in ``revisions.py``.
"""
