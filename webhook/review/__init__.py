"""One admission review, from request to response. Start with ``reviewer.py``."""
