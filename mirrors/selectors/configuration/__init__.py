"""Registries and filters, as the configuration file and operators declare them.

Imports ``queries`` alone of the selectors. Begin in ``operator_rows.py``.
"""
