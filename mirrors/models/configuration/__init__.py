"""Registries, their repositories and connection tests, filters, and running processes.

Of the other folders of the models, it imports only ``base``. Start with ``registries.py``.
"""
