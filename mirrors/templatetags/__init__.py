"""Filters and tags of templates. Begin in ``humanise.py``."""
