"""Chips: the active filters of a list, each with a link that removes it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib.admin.views.main import SEARCH_VAR, ChangeList

from mirrors.admin.tools.list_filters.filter_values import given_values, labels_by_value, parameter_title


@dataclass(frozen=True, slots=True)
class Chip:
    """An active filter. ``url`` is the URL of the list without it."""

    title: str
    text: str
    url: str


def chips(listed: ChangeList) -> Iterator[Chip]:
    """Yield a chip for the search, for each filter, and for each other parameter of a link that filters the list."""
    if listed.query:
        yield Chip("search", listed.query, listed.get_query_string({SEARCH_VAR: None}))
    filter_names: set[str] = set()
    for spec in listed.filter_specs:
        names = [name for name in spec.expected_parameters() if name]
        filter_names.update(names)
        if values := [value for name in names for value in given_values(listed, name)]:
            yield Chip(str(spec.title), _chip_text(spec, values), _without(listed, names))
    for name in listed.get_filters_params():
        if name not in filter_names:
            text = listed.model_admin.filter_text(name, given_values(listed, name), listed.filter_params)  # type: ignore[attr-defined]
            yield Chip(parameter_title(listed.opts, name), text, _without(listed, [name]))


def _without(listed: ChangeList, names: Sequence[str]) -> str:
    return listed.get_query_string(dict.fromkeys(names))


def _chip_text(spec: Any, values: Sequence[str]) -> Any:
    """Return the chosen values as the filter shows them."""
    if hasattr(spec, "range_text"):
        return spec.range_text() or "invalid time"
    labels = labels_by_value(spec)
    return ", ".join(labels.get(value, value) for value in values)
