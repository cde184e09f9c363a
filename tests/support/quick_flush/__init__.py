"""A Django application of the tests: its ``flush`` goes before Django's. Begin in ``management/commands/flush.py``."""
