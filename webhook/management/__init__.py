"""Management commands of the webhook. Start with ``commands/explain.py``."""
