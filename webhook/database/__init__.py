"""The database access of a webhook process. Start with ``thread.py``.

Only one thread queries and writes the database, so that no review ever waits for a connection.

Request threads send messages to it and wait on futures. ``mapping_cache`` holds the mappings in memory,
``pending_writes`` the data that is to be written.
"""
