"""Warnings about probable mistakes in valid filters."""

from __future__ import annotations

from mirrors.filters.known_fields import unknown_fields_warning
from mirrors.filters.non_boolean_results import result_warning
from mirrors.filters.quotes import quotes_warning


def filter_warning(expression: str) -> str:
    """Return a warning, as a sentence, about text in double quotes, a field that Pods do not have, or a result that is
    not a boolean; empty if there is none."""
    message = quotes_warning(expression) or unknown_fields_warning(expression) or result_warning(expression)
    return message if not message or message.endswith("?") else f"{message}."
