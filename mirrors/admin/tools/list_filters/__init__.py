"""Filters of lists: by time, namespace, cluster; their values, and a chip for each that is set.

Begin in ``filter_values.py``.
"""
