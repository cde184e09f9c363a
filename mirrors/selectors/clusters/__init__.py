"""Clusters, as their watchers wrote them: images, failing pulls, suspended swaps, backfills.

The folder ``overview`` may import it. Begin in ``running_images.py``.
"""
