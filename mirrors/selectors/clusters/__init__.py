"""Queries about clusters, as reported by their watchers: running images, failing pulls, suspended swaps, and backfills.

The folder ``overview`` is allowed to import this one. Start reading in ``running_images.py``.
"""
