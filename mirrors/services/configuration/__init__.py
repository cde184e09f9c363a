"""Registries, filters, repositories and processes: rows of the configuration file, connection tests, settings.

Of the other folders of the services, it imports only ``jobs``. Start with ``config_rows.py``.
"""
