"""Copies as jobs. Begin in ``queue/leases.py``, then ``copy/executor.py``.

``limits`` says how much may be asked of registries, ``queue`` who may work on what, ``copy`` does one job with what
``context`` holds, ``upkeep`` looks at registries without a job, ``process`` is the worker's processes.
"""
