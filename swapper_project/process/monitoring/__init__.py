"""Monitoring of a process over HTTP: metrics, probes, and the sockets that serve them.

Start with ``metrics.py``.
"""
