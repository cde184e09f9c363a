"""Images: their mappings to the target, the workloads that use them, and decisions about them.

Imports ``base`` and ``configuration``. Start with ``mappings.py``.
"""
