"""Looks at registries without a job: known images at the target, and connection tests.

Begin in ``existence_refresh.py``.
"""
