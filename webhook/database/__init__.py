"""The database of a webhook process. Begin in ``thread.py``.

One thread asks and writes, so that no review ever waits for a connection.

Request threads hand it messages and wait on futures; ``mapping_cache`` is what is in memory, ``pending_writes`` what is
to be written.
"""
