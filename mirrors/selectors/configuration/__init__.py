"""Queries about registries and filters, which the configuration file and operators declare.

Of the selectors, this folder imports only ``queries``. Start reading in ``operator_rows.py``.
"""
