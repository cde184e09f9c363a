"""Images: what users do with mappings, and what webhook processes noticed.

Imports ``jobs`` alone of the services. Begin in ``mappings.py``.
"""
