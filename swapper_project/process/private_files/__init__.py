"""Files that a process keeps in its data directory: certificates and keys, which nobody else reads.

Imports no other folder of ``process``. Begin in ``data_directory.py``.
"""
