"""The sections of the configuration file, each with its keys, defaults and checks.

Of ``config``, this package imports only ``text``; ``models.py`` combines the sections. Start with ``target.py``.
"""
