"""The decision about one image, from values alone: no database, no network, no clock.

Begin in ``decision.py``: ``classify`` before anything is known, ``settle`` afterwards. ``snapshot`` is what is in
force, ``patch`` the answer's JSON patch.
"""
