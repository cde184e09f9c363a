"""Common parts of the models: the cluster column, revision numbers, indexes of large tables.

Imports no other folder of the models. Start with ``revisions.py``.
"""
