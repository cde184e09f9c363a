"""Facilities of every process: environment, logs, kill switch, release, its parent and children.

Metrics and probes, files of the data directory, and commands have folders. Begin in ``environment.py``.
"""
