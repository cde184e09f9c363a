"""Tiles of the dashboard for states that few images have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from mirrors.admin.tools import links

RARE_STATES: Final = {"absent": "Absent", "unknown": "Unknown", "obstacle": "Blocked"}
"""States of images that have a tile only if there are any. Together with the other tiles, they add up to all images."""


def rare_states(images: Mapping[str, int]) -> list[dict[str, Any]]:
    return [
        {"title": title, "images": images[state], "link": links.mappings(state=state)}
        for state, title in RARE_STATES.items()
        if images[state]
    ]
