"""The context of one worker process: the copy engine, and its mount index and index locks in the database.

Start with ``worker_context.py``.
"""
