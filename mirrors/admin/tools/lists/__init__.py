"""Lists of rows: columns, counts of large tables, cells in the design of unfold, CSV.

Start reading in ``change_list.py``.
"""
