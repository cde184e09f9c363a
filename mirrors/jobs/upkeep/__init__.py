"""Checks of registries without a job: whether the target still has known images, and connection tests.

Start with ``existence_refresh.py``.
"""
