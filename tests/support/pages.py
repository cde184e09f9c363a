"""Pages as a reader sees them."""

from __future__ import annotations

import re
from html import unescape


def text_of(page: str) -> str:
    """The words of a page, or of a part of one, without its tags."""
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", page)).split())
