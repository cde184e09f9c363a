"""Errors about values say what is allowed: the same words for filters of lists and for fields of bodies."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from django.db.models import Model
from django.utils.text import Truncator

BOOLEAN: Final = "Must be true or false."
TIME: Final = "Must be a time in ISO 8601, such as 2026-11-28T12:00:00Z."

LONGEST_KEY: Final = 60
"""Characters of an unknown ID in an error: those of a row have at most 26."""


def one_of(values: Iterable[object]) -> str:
    """For a field with choices."""
    return f"Must be one of: {', '.join(text for value in values if (text := str(value)))}."


def whole_number(least: int | None = None, most: int | None = None) -> str:
    """For a number with or without limits, which are included."""
    if least is None and most is None:
        return "Must be a whole number."
    if most is None:
        return f"Must be a whole number of at least {least}."
    return f"Must be a whole number {f'from {least} to' if least is not None else 'of at most'} {most}."


def no_row(model: type[Model], key: object) -> str:
    """For an ID that no row has."""
    return f"There is no {model._meta.verbose_name} with the ID {shortened(key)}."


def shortened(key: object) -> str:
    """An unknown ID as an error names it."""
    return Truncator(str(key)).chars(LONGEST_KEY)
