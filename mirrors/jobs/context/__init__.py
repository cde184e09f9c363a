"""What one worker process copies with: the engine, and where blobs are and who writes an index, in the database.

Begin in ``worker_context.py``.
"""
