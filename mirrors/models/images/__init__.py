"""Images: where each lives at the target, who uses it, and how its admissions were decided.

Imports ``base`` and ``configuration``. Begin in ``mappings.py``.
"""
