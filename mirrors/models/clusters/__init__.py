"""Rows that the watcher of each cluster writes: nodes, running images, failing pulls, suspended swaps, readiness.

No other folder of the models imports it. Begin in ``clusters.py``.
"""
