"""Code that every process uses: environment, logs, kill switch, release, parent and child processes.

Subpackages contain metrics and probes, files of the data directory, and commands. Start with ``environment.py``.
"""
