"""Pages about more than one row: the dashboard with its list of problems, and the search. Start reading in
``dashboard.py``."""
