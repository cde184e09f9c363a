"""Backfill: mirrors the images that run in a cluster and are not mirrored yet. Start with ``task.py``. The models are
in ``mirrors/models/clusters/backfill.py``, the users' actions in ``mirrors/services/clusters/backfill.py``."""
