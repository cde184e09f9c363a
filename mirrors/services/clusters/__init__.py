"""Clusters: failing pulls, suspended swaps, and backfills.

Of the other folders of the services, it imports only ``jobs``. Start with ``suspensions.py``.
"""
