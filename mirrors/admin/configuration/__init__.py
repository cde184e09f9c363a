"""Filters, registries, repositories, rate limits and processes. Start reading in ``registries.py``."""
