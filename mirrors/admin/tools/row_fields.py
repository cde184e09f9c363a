"""Fields of the page of a row: the columns of its list under the same names, then the stored fields that the list
omits."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Any

from django.contrib import admin
from django.contrib.admin.utils import label_for_field
from django.core.exceptions import FieldDoesNotExist
from django.db import models
from django.db.models import F
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from mirrors.templatetags.humanise import number, size, when

NOTHING = "–"


def row_fields(model_admin: Any, columns: Iterable[Any], *, omit: Collection[str] = ()) -> list[Any]:
    """Return the fields of the page of a row. ``omit`` contains stored fields that the page omits."""
    model: type[models.Model] = model_admin.model
    stored = {field.name: field for field in model._meta.concrete_fields if field.editable and not field.primary_key}
    shown = [name for name in columns if name != "action_checkbox"]
    labels = {str(label_for_field(name, model, model_admin)).lower() for name in shown}
    hidden = {*shown, *omit, *(stored_field(model_admin, name) for name in shown)}
    others = [field for name, field in stored.items() if name not in hidden and title_of(field) not in labels]
    return [*(readable_field(stored[name]) if name in stored else name for name in shown), *map(readable_field, others)]


def title_of(field: Any) -> str:
    """Return the title of a field as in columns: ``checked_at`` is "checked", ``is_new`` is "new"."""
    title = str(field.verbose_name)
    if isinstance(field, models.DateTimeField):
        return title.removesuffix(" at")
    return title.removeprefix("is ").removeprefix("has ") if isinstance(field, models.BooleanField) else title


def readable_field(field: Any) -> str | Callable[[models.Model], Any]:
    """Return how a read-only page shows a field: its name, or a function that shows its value in words."""
    shown = _formatter_of(field)
    if shown is None and title_of(field) == str(field.verbose_name):
        return str(field.name)

    @admin.display(description=title_of(field), boolean=isinstance(field, models.BooleanField))
    def value(row: models.Model) -> Any:
        field_value = getattr(row, field.name)
        return shown(field_value) if shown else field_value

    return value


def _formatter_of(field: Any) -> Callable[[Any], Any] | None:
    if isinstance(field, models.DateTimeField):
        return when
    if isinstance(field, models.BigIntegerField) and "bytes" in field.name:
        return size
    if is_count(field):
        return number
    return json_as_text if isinstance(field, models.JSONField) else None


def is_count(field: Any) -> bool:
    """Return whether a field contains plain numbers, which are neither keys nor choices."""
    return isinstance(field, models.IntegerField) and not field.primary_key and not field.choices


def json_as_text(value: Any) -> str:
    """Return a JSON value as text: an object as one line for each entry, a list of objects as one line for each object,
    and any other value in one line."""
    if isinstance(value, dict):
        return as_lines(f"{spaced_name(key)}: {_in_line(entry)}" for key, entry in value.items()) or NOTHING
    if isinstance(value, list) and any(isinstance(entry, dict) for entry in value):
        return as_lines(_in_line(entry) for entry in value)
    return _in_line(value) or NOTHING


def _in_line(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{spaced_name(key)}: {text}" for key, entry in value.items() if (text := _in_line(entry)))
    if isinstance(value, list):
        return ", ".join(map(_in_line, value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else str(value)


def spaced_name(name: str) -> str:
    """Return a name with spaces: ``is_active`` as ``is active``."""
    return name.replace("_", " ")


def form_title(opts: Any, name: str) -> str:
    """Return the title of a field in forms. For unknown names, and relations without a title, return the name with
    spaces."""
    try:
        title = getattr(opts.get_field(name), "verbose_name", "")
    except FieldDoesNotExist:
        title = ""
    return str(title) or spaced_name(name)


def as_lines(lines: Iterable[str]) -> SafeString:
    return format_html_join("", "{}<br>", ((line,) for line in lines))


def stored_field(model_admin: Any, name: Any) -> str:
    """Return the name of the stored field behind a column; empty if there is none."""
    method = getattr(model_admin, name, None) if isinstance(name, str) else name
    return ordering_field(getattr(method, "admin_order_field", None))


def ordering_field(order: Any) -> str:
    """Return the field that a column is sorted by, the first one of an expression; empty for a column that cannot be
    sorted."""
    while order is not None and not isinstance(order, str | F):
        order = next(iter(order.get_source_expressions()), None)
    return str(getattr(order, "name", order or ""))
