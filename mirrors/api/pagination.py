"""Cursor pagination. The millionth row is read as fast as the first, and rows are not counted."""

from __future__ import annotations

from base64 import b64decode
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs

from django.core.exceptions import ValidationError as DjangoValidationError
from django.db import connections
from django.db.models import QuerySet
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.pagination import Cursor, CursorPagination
from rest_framework.request import Request
from rest_framework.views import APIView


class Pages(CursorPagination):
    page_size = 50
    max_page_size = 200
    page_size_query_param = "page_size"
    ordering = "-id"
    _queryset: QuerySet[Any]

    def get_ordering(self, request: Request, queryset: QuerySet[Any], view: Any) -> tuple[str, ...]:
        """Add the key to the ordering, because otherwise a row that shares its time with others could be on two
        pages."""
        first = str(super().get_ordering(request, queryset, view)[0])
        sign = "-" if first.startswith("-") else ""
        return (first,) if first.removeprefix("-") == "id" else (first, f"{sign}id")

    def paginate_queryset(
        self, queryset: QuerySet[Any], request: Request, view: APIView | None = None
    ) -> list[Any] | None:
        """Leave out rows that have no value in the ordering column, because a cursor needs a value."""
        name = self.get_ordering(request, queryset, view)[0].removeprefix("-")
        if queryset.model._meta.get_field(name).null:
            queryset = queryset.filter(**{f"{name}__isnull": False})
        self._queryset = queryset
        return super().paginate_queryset(queryset, request, view)

    def decode_cursor(self, request: Request) -> Cursor | None:
        """Decode the cursor. Raise ValidationError if it is invalid or of another ordering, before the database
        query."""
        try:
            _validate_cursor(request.query_params.get(self.cursor_query_param, ""))
            cursor = super().decode_cursor(request)
            if cursor is not None and cursor.position is not None:
                order = str(self.ordering[0])
                at = self._queryset.model._meta.get_field(order.removeprefix("-")).to_python(cursor.position)
                if cursor.reverse != order.startswith("-") and _is_longer_than_its_row(at, self._queryset.db):
                    return Cursor(cursor.offset, cursor.reverse, str(at - timedelta(microseconds=1)))  # type: ignore[arg-type]
        except (NotFound, DjangoValidationError, ValueError) as error:
            message = "This cursor is not valid for this list and ordering: start without it, and follow `next`."
            raise ValidationError({self.cursor_query_param: [message]}) from error
        return cursor

    def get_page_size(self, request: Request) -> int | None:
        page_size = request.query_params.get(self.page_size_query_param, "")
        if page_size and not (page_size.isascii() and page_size.isdecimal() and int(page_size[:9]) > 0):
            raise ValidationError({self.page_size_query_param: ["Must be a number from 1 to 200."]})
        return super().get_page_size(request)


def _validate_cursor(cursor: str) -> None:
    """Raise ValueError if the text is not a cursor, because DRF would treat such text as the start of the list."""
    if cursor:
        parameters = parse_qs(b64decode(cursor, validate=True).decode("ascii"), strict_parsing=True)
        if not parameters.keys() <= {"o", "r", "p"}:
            raise ValueError("A cursor has an offset, a direction and a position.")


def _is_longer_than_its_row(at: Any, database: str) -> bool:
    """Return whether Django writes the time with more digits than SQLite stored. SQLite compares times as text, and its
    clock writes three digits: 12.345 sorts before 12.345000."""
    is_whole = isinstance(at, datetime) and at.microsecond % 1_000 == 0
    return is_whole and connections[database].vendor == "sqlite"
