"""What is probably wrong in a filter that is valid."""

from __future__ import annotations

from mirrors.filters.known_fields import unknown_fields_warning
from mirrors.filters.quotes import quotes_warning


def filter_warning(expression: str) -> str:
    """Text in double quotes, or a field that no Pod has; empty where there is neither."""
    return quotes_warning(expression) or unknown_fields_warning(expression)
