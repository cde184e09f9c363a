"""A configuration file as text: YAML values with their line numbers, and problems that name the lines.

This package imports no other folder of ``config``. Start with ``document.py``.
"""
