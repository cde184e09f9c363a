"""Tools of all pages of rows: menu, titles, links, details, actions in bulk. Lists and their filters have folders.

Begin in ``base.py``. Imports nothing of the other folders of the admin.
"""
