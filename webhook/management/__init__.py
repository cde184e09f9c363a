"""Commands about the webhook. Begin in ``commands/explain.py``."""
