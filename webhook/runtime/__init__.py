"""The components of a running webhook process, and the metrics about them. Start with ``runtime.py``."""
