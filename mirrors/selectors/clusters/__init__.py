"""What runs in each cluster, as its watcher wrote it: images, failing pulls, suspended swaps, backfills.

The folder ``overview`` may import it. Begin in ``running_images.py``.
"""
