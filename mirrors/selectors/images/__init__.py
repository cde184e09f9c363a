"""Mappings and admissions of images: what is known of each, its state in one word, and the search by reason.

The folders ``clusters`` and ``overview`` may import it. Begin in ``mappings.py``.
"""
