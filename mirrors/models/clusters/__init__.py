"""Models that the watcher of each cluster writes: nodes, running images, failing pulls, suspended swaps, readiness.

No other folder of the models imports this one. Start with ``clusters.py``.
"""
