"""Queries about jobs: the queue, the progress of a copy, and advice about failed copies.

The folders ``images``, ``clusters`` and ``overview`` are allowed to import this one. Start reading in ``job_queue.py``.
"""
