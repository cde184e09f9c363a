"""What is probably wrong in a filter that is valid."""

from __future__ import annotations

from mirrors.filters.known_fields import unknown_fields_warning
from mirrors.filters.quotes import quotes_warning


def filter_warning(expression: str) -> str:
    """Text in double quotes, or a field that no Pod has, as a sentence; empty where there is neither."""
    words = quotes_warning(expression) or unknown_fields_warning(expression)
    return words if not words or words.endswith("?") else f"{words}."
