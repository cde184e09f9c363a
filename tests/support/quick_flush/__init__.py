"""A Django application for tests whose ``flush`` command overrides Django's. See ``management/commands/flush.py``."""
