"""Registries, their repositories and connection tests, filters, and the processes that report themselves.

Imports ``base`` alone of the models. Begin in ``registries.py``.
"""
