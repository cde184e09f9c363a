"""Template filters and tags. Start reading in ``humanise.py``."""
