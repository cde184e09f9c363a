"""Lists of rows: columns, counts of large tables, cells in the design of unfold, CSV.

Begin in ``change_list.py``.
"""
