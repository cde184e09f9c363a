"""A page that is measured."""

from __future__ import annotations

from dataclasses import dataclass

SEARCHED = {"many": "library", "one": ".4711", "none": "no-such-image", "words": "nginx 17"}
"""What people search for: what many rows have, one, none, and two words."""


@dataclass(frozen=True, slots=True)
class Page:
    """What is measured: its name in the table, its address, and what is posted to it, if anything."""

    name: str
    url: str
    body: str = ""
    content_type: str = "application/x-www-form-urlencoded"
