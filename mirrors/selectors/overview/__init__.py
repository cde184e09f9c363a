"""Queries about the whole installation: the dashboard, the global search, and metrics that need the database.

No other folder of the selectors imports this one. Start reading in ``current_state.py``.
"""
