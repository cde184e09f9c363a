"""A configuration file as text: YAML whose values know their lines, and problems that name them.

Imports no other folder of ``config``. Begin in ``document.py``.
"""
