"""The common part of all management commands: flags, and one line for what fails.

Begin in ``base_command.py``.
"""
