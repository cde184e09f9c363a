"""The common parts of all management commands: flags, and error messages of one line.

Start with ``base_command.py``.
"""
