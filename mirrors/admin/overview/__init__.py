"""What is not one row: dashboard, what needs attention, and search. Begin in ``dashboard.py``."""
