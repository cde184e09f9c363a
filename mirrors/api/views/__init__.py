"""Views of the API, one file per resource, with the same name in every layer. Begin in ``mappings.py``."""
