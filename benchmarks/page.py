"""A page to measure."""

from __future__ import annotations

from dataclasses import dataclass

SEARCHED = {"many": "library", "one": ".4711", "none": "no-such-image", "words": "nginx 17"}
"""Search terms: a word in many rows, in one and in none, and two words."""


@dataclass(frozen=True, slots=True)
class Page:
    """A page to measure: its name in the table, its URL, and the body to post, if any."""

    name: str
    url: str
    body: str = ""
    content_type: str = "application/x-www-form-urlencoded"
