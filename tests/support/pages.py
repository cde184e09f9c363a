"""The text of pages."""

from __future__ import annotations

import re
from html import unescape


def text_of(page: str) -> str:
    """Return the text of a page, or of a part of one, without tags."""
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", page)).split())
