"""Backfill: images that run in the cluster and are not mirrored yet. Rows and what users do with them are in
``mirrors/models/clusters/backfill.py`` and ``mirrors/services/clusters/backfill.py``;
here is the work. Begin in ``task.py``."""
