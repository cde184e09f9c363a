"""What all management commands share: flags, and one line for what fails.

Begin in ``base_command.py``.
"""
