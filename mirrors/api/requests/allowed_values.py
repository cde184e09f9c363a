"""Error messages that list the allowed values, in the same words for filters of lists and for fields of bodies."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from django.db.models import Model
from django.utils.text import Truncator

BOOLEAN: Final = "Must be true or false."
TIME: Final = "Must be a time in ISO 8601, such as 2026-11-28T12:00:00Z."

LONGEST_KEY: Final = 60
"""The most characters of an unknown ID in an error message. IDs of rows have at most 26."""


def one_of(values: Iterable[object]) -> str:
    """Return the error for a field with choices."""
    return f"Must be one of: {', '.join(text for value in values if (text := str(value)))}."


def whole_number(least: int | None = None, most: int | None = None) -> str:
    """Return the error for a whole number. Limits, if any, are inclusive."""
    if least is None and most is None:
        return "Must be a whole number."
    if most is None:
        return f"Must be a whole number of at least {least}."
    return f"Must be a whole number {f'from {least} to' if least is not None else 'of at most'} {most}."


def no_row(model: type[Model], key: object) -> str:
    """Return the error for an ID that no row has."""
    return f"There is no {model._meta.verbose_name} with the ID {shortened(key)}."


def no_cluster(name: str, known_names: Iterable[str]) -> str:
    """Return the error for a cluster that has not written its configuration to the database."""
    return f"There is no cluster named {shortened(name)}; known: {', '.join(known_names) or 'none yet'}."


def list_of(minimum: int | None, maximum: int | None) -> str:
    """Return the error for a list of strings. The limits of its length are inclusive."""
    text = "Must be a list of strings"
    if minimum and maximum:
        return f"{text}, from {minimum} to {maximum} of them."
    return f"{text}, at least {minimum}." if minimum else f"{text}, at most {maximum}." if maximum else f"{text}."


def text_up_to(maximum: int) -> str:
    """Return the error for text that is too long."""
    return f"Must have at most {maximum} characters."


def shortened(key: object) -> str:
    """Shorten an unknown ID for an error message."""
    return Truncator(str(key)).chars(LONGEST_KEY)
