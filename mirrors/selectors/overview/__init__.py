"""The whole installation in a few numbers: the dashboard, the global search, and metrics that need the database.

No other folder of the selectors imports it. Begin in ``current_state.py``.
"""
