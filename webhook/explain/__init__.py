"""Explains why an image would be swapped or kept, for page, API and command. Start with ``explainer.py``."""
