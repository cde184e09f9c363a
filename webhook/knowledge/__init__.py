"""Knowledge about images: from memory, else from the database, else from registries, within a review's deadline.

Begin in ``gatherer.py``.
"""
