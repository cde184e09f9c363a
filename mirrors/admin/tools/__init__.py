"""How lists and pages of rows work: menu, columns, links, chips, counting, CSV, actions in bulk, details.

Begin in ``base.py``. Imports nothing of the other folders of the admin.
"""
