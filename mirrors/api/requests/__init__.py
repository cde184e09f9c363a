"""What a request may say: query parameters, filters, bodies; errors say which values are allowed.

Begin in ``parameters.py``.
"""
