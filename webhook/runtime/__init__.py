"""The parts that a webhook process holds while it runs, and what it reports of them. Begin in ``runtime.py``."""
