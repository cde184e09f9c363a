"""Copies as jobs. Start with ``queue/leases.py``, then ``copy/executor.py``.

``limits`` bounds the requests to registries, ``queue`` decides which worker gets which job, ``copy`` runs one job with
the objects of ``context``, ``upkeep`` checks registries without a job, and ``process`` has the worker's processes.
"""
