"""A list as CSV: the filtered rows in the order of the list, streamed, and safe to open in a spreadsheet."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from functools import partial
from html import unescape
from typing import Any, Final

from django.contrib.admin.utils import label_for_field, lookup_field
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import ObjectDoesNotExist
from django.db import models
from django.db.models import QuerySet
from django.http import StreamingHttpResponse
from django.utils import timezone
from django.utils.html import strip_tags

from mirrors.admin.tools.row_fields import NOTHING, ordering_field
from mirrors.models import MirrorJob

MOST_ROWS: Final = 10_000
"""The maximum number of rows of one file. They take a few seconds; more would occupy a thread of the web role for
longer."""

ROWS_IN_MEMORY: Final = 500
"""The number of rows that an export reads into memory at a time."""

FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
"""Prefixes of text that a spreadsheet evaluates (OWASP, CSV injection)."""


class _Line:
    """A file for ``csv.writer`` that stores nothing: ``write`` returns the line, and ``writerow`` returns it too."""

    def write(self, text: str) -> str:
        return text


Column = Callable[..., Any]


def csv_column(title: str, value: Callable[[Any], object]) -> Callable[[Column], Column]:
    """Give a column another title and value in files, such as seconds instead of words. For a column that has two
    values, apply the decorator twice, the upper one for the first column of the file."""

    def decorate(column: Column) -> Column:
        column.csv_column = ((title, value), *getattr(column, "csv_column", ()))  # type: ignore[attr-defined]
        return column

    return decorate


def exported(listed: ChangeList) -> StreamingHttpResponse:
    """Return a CSV file of the rows of all pages, at most ``MOST_ROWS``."""
    columns = list(_columns(listed))
    name = f"{listed.opts.verbose_name_plural}-{timezone.now():%Y-%m-%d}.csv".replace(" ", "-")
    return StreamingHttpResponse(
        _lines(listed.queryset, columns),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"', "X-Content-Type-Options": "nosniff"},
    )


def _columns(listed: ChangeList) -> Iterator[tuple[str, Callable[[Any], object]]]:
    """Yield the title of each column of the file, and the function that returns its value for a row."""
    for name in listed.list_display:
        if name == "action_checkbox":
            continue
        title, column = label_for_field(name, listed.model, listed.model_admin, return_attr=True)
        yield from getattr(column, "csv_column", ((str(title), partial(_value, listed, name)),))


def _lines(queryset: QuerySet[Any], columns: Sequence[tuple[str, Callable[[Any], object]]]) -> Iterator[str]:
    writer = csv.writer(_Line())
    yield writer.writerow([title for title, _ in columns])
    rows: Iterable[models.Model] = queryset[:MOST_ROWS].iterator(chunk_size=ROWS_IN_MEMORY)
    for row in rows:
        yield writer.writerow([escape_formula(_text(value(row))) for _, value in columns])


def _text(value: object) -> str:
    """Return a value as text: times in ISO 8601, sizes in bytes, jobs as their number, booleans as yes and no, and
    anything else as in the list, in one line."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, MirrorJob):
        return str(value.pk)
    if isinstance(value, float):
        return f"{value:.1f}"
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds")
    # Replace line breaks within a cell before the other tags are removed.
    text = " ".join(unescape(strip_tags(str(value).replace("<br>", ", "))).split())
    return "" if value is None or text == NOTHING else text


def _value(listed: ChangeList, name: Any, row: models.Model) -> object:
    """Return the value that the list shows, or the stored value behind it if there is one."""
    try:
        field, attr, value = lookup_field(name, row, listed.model_admin)
    except ObjectDoesNotExist:
        return None
    if field is None:
        return _stored(row, attr, value)
    return dict(field.flatchoices).get(value, value) if getattr(field, "flatchoices", None) else value


def _stored(row: models.Model, attr: Any, shown: Any) -> Any:
    """Return the stored time or size if the column shows one in words; otherwise the value that is shown."""
    name = ordering_field(getattr(attr, "admin_order_field", None))
    value = getattr(row, name, None) if name else None
    is_size = isinstance(value, int) and "bytes" in name
    return value if is_size or isinstance(value, datetime) else shown


def escape_formula(text: str) -> str:
    """Return the text, with a leading apostrophe if a spreadsheet would evaluate it."""
    return f"'{text}" if text.startswith(FORMULA) else text
