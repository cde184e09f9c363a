"""Management commands, one file for each in ``commands``, and their shared code. Start with ``serving.py``."""
