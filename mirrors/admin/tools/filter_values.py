"""Values of list filters: what each filter offers, and what a link asks for that none has."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.contrib.admin.filters import BooleanFieldListFilter
from django.contrib.admin.views.main import ChangeList

YES_NO = {"1": "Yes", "0": "No", "True": "Yes", "False": "No"}


def words_by_value(spec: Any) -> dict[str, str]:
    """What a filter offers; empty for one that takes any text, and for a range of time."""
    if isinstance(spec, BooleanFieldListFilter):
        return YES_NO
    offered = getattr(spec, "lookup_choices", None) or getattr(getattr(spec, "field", None), "flatchoices", None) or ()
    pairs = (choice if isinstance(choice, list | tuple) else (choice, choice) for choice in offered)
    return {str(value): str(words) for value, words in pairs}


def given_values(listed: ChangeList, name: str) -> list[str]:
    """The values of a parameter."""
    return [str(value) for value in listed.filter_params.get(name, ()) if value]


def unknown_values(listed: ChangeList, spec: Any) -> Iterator[str]:
    """A sentence for each value of a filter that it does not offer."""
    offered = words_by_value(spec)
    for name in filter(None, spec.expected_parameters() if offered else ()):
        for value in given_values(listed, name) if not name.endswith("__isnull") else ():
            if value not in offered:
                title, words = str(spec.title).capitalize(), ", ".join(dict.fromkeys(offered.values()))
                yield f"{title} has no value “{value}”. Choose one of: {words}."
