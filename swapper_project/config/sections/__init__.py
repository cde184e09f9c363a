"""The sections of the configuration file, each with its keys, defaults and checks.

Imports ``text`` alone of ``config``; ``models.py`` puts the sections together. Begin in ``target.py``.
"""
