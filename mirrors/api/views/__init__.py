"""Views of the API, one file per resource, with the same file name in every layer. Start reading in ``mappings.py``."""
