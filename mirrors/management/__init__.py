"""Commands, one file for each in ``commands``, and what they share. Begin in ``serving.py``."""
