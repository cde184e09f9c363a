"""Private files of a process in its data directory, such as certificates and keys.

This package imports no other folder of ``process``. Start with ``data_directory.py``.
"""
