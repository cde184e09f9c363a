"""Filters, registries, repositories, rate limits and processes. Begin in ``registries.py``."""
