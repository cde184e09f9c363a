"""Pages that are about more than one row: dashboard, what needs attention, and search. Begin in ``dashboard.py``."""
