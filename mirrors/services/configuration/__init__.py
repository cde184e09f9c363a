"""Registries, repositories and hosts: rows of the configuration file, connection tests, the end of a rate limit.

Imports ``jobs`` alone of the services. Begin in ``config_rows.py``.
"""
