"""Images: actions of users on mappings, and records of webhook processes.

Of the other folders of the services, it imports only ``jobs``. Start with ``mappings.py``.
"""
