"""What a webhook process holds while it runs, and what it reports of that. Begin in ``runtime.py``."""
