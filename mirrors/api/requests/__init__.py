"""Validation of query parameters, filters and bodies. Error messages list the allowed values.

Start reading in ``parameters.py``.
"""
