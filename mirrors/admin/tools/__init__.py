"""Tools that all pages share: menu, titles, links, details and bulk actions. Lists and their filters have folders.

Start reading in ``base.py``. Does not import from the other folders of the admin.
"""
