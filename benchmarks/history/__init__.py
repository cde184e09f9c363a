"""A fictitious year of a large installation: its rows, and the code that writes them to a database."""
