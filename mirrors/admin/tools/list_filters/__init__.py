"""Filters of lists by time, namespace and cluster; their values; and a chip for each active filter.

Start reading in ``filter_values.py``.
"""
