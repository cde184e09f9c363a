"""Clusters: failing pulls, suspended swaps, and backfills.

Imports ``jobs`` alone of the services. Begin in ``suspensions.py``.
"""
