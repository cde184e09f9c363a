"""Values of list filters: those that each filter offers, and those in links that no filter offers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from django.contrib.admin.filters import BooleanFieldListFilter
from django.contrib.admin.utils import label_for_field
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import FieldDoesNotExist

from mirrors.admin.tools.row_fields import form_title, stored_field, title_of

YES_NO = {"1": "Yes", "0": "No", "True": "Yes", "False": "No"}
TITLES = {"object_pk": "object"}
"""Titles of parameters, by field, for fields whose names describe how they are stored."""

EXACT, IS_NULL = "__exact", "__isnull"


def labels_by_value(spec: Any) -> dict[str, str]:
    """Return the values that a filter offers, with their labels; empty for a text filter and for a time range."""
    if isinstance(spec, BooleanFieldListFilter):
        return YES_NO
    offered = getattr(spec, "lookup_choices", None) or getattr(getattr(spec, "field", None), "flatchoices", None) or ()
    pairs = (choice if isinstance(choice, list | tuple) else (choice, choice) for choice in offered)
    return {str(value): str(label) for value, label in pairs}


def filter_title(model_admin: Any, spec: Any) -> str:
    """Return the title of a filter: the title of the column that shows its field."""
    path = getattr(spec, "field_path", "")
    if not path:
        return str(spec.title)
    if path in model_admin.filter_titles:
        return str(model_admin.filter_titles[path])
    for name in model_admin.list_display:
        if stored_field(model_admin, name) == path:
            return str(label_for_field(name, model_admin.model, model_admin))
    return title_of(spec.field)


def without_empty(params: dict[str, list[str]], opts: Any) -> dict[str, list[str]]:
    """Return the parameters of a list that have a value. An empty value does not filter, as in a form that is sent with
    an unused filter, unless the field has a choice with an empty value, such as jobs without an error."""
    kept = {
        name: [value for value in values if value or _has_empty_choice(opts, name)] for name, values in params.items()
    }
    return {name: values for name, values in kept.items() if values}


def given_values(listed: ChangeList, name: str) -> list[str]:
    """Return the values of a parameter."""
    return [str(value) for value in listed.filter_params.get(name, ())]


def unknown_values(listed: ChangeList, spec: Any) -> Iterator[str]:
    """Yield a sentence for each value that the filter does not offer, or that is not a time."""
    if problem := spec.problem() if hasattr(spec, "problem") else "":
        yield problem
    offered = labels_by_value(spec)
    for name in filter(None, spec.expected_parameters() if offered else ()):
        valid = YES_NO if name.endswith(IS_NULL) else offered
        for value in given_values(listed, name):
            if value not in valid:
                labels = ", ".join(dict.fromkeys(valid.values()))
                yield f"{str(spec.title).capitalize()} has no value “{value}”. Choose one of: {labels}."


def unused_values(listed: ChangeList, specs: Iterable[Any], others: Iterable[str]) -> Iterator[str]:
    """Yield a sentence for each parameter whose filter is hidden at the moment, because it has nothing to choose
    from."""
    used = {name for spec in specs for name in spec.expected_parameters()} | set(others)
    for name in listed.get_filters_params():
        if name not in used:
            title, values = parameter_title(listed.opts, name).capitalize(), ", ".join(given_values(listed, name))
            yield f"{title} has no value “{values}”: there is nothing to choose from. Remove this filter."


def parameter_title(opts: Any, name: str) -> str:
    """Return the title of the field that a parameter such as ``error_host__endswith`` refers to."""
    field = name.partition("__")[0]
    return TITLES.get(field) or form_title(opts, field)


def _has_empty_choice(opts: Any, name: str) -> bool:
    try:
        field = opts.get_field(name.removesuffix(EXACT))
    except FieldDoesNotExist:
        return False
    return any(value == "" for value, _ in getattr(field, "flatchoices", ()))
