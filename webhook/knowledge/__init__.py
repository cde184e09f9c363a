"""Facts about images: from memory, else from the database, else from registries, within a review's deadline.

Start with ``gatherer.py``.
"""
