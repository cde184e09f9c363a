"""The context of one worker process: the engine, and where blobs are and who writes an index, in the database.

Begin in ``worker_context.py``.
"""
