"""Monitoring of a process over HTTP: metrics and probes, and the sockets that they are served on.

Begin in ``metrics.py``.
"""
