"""Compares the copy engine with skopeo, crane and regclient. Start with ``__main__.py``."""
