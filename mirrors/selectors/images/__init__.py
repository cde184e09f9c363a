"""Queries about mappings and admissions of images: their snapshots, their states, and the search by reason.

The folders ``clusters`` and ``overview`` are allowed to import this one. Start reading in ``mappings.py``.
"""
