"""The decision about one image, as a pure function of values: no database, no network, no clock.

Start with ``decision.py``: ``classify`` uses only the image and the configuration, ``settle`` uses the facts about the
target. ``snapshot`` holds the active configuration, ``patch`` builds the JSON patch of the response.
"""
