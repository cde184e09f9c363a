"""Parameters of lists: what a list does not know it refuses, where others would silently give all rows."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db.models import QuerySet
from django_filters.rest_framework import DjangoFilterBackend  # type: ignore[import-untyped]
from rest_framework.exceptions import ValidationError
from rest_framework.filters import BaseFilterBackend, OrderingFilter
from rest_framework.request import Request
from rest_framework.views import APIView


class KnownParameters(BaseFilterBackend):
    """A misspelt filter would select everything."""

    def filter_queryset(self, request: Request, queryset: QuerySet[Any], view: Any) -> QuerySet[Any]:
        if view.action == "list" and (unknown := set(request.query_params) - _names(view)):
            known = ", ".join(sorted(_names(view)))
            raise ValidationError({name: [f"There is no such parameter here; there are: {known}."] for name in unknown})
        return queryset


class KnownOrdering(OrderingFilter):
    """Refuses fields that a list can't be ordered by; a view that names none has ``id``."""

    def get_default_valid_fields(
        self, queryset: QuerySet[Any], view: APIView, context: Any = None
    ) -> list[tuple[str, str]]:
        # DRF's own takes every field that is shown: a sort of a million rows that no index helps.
        return [("id", "id")]

    def remove_invalid_fields(
        self, queryset: QuerySet[Any], fields: Iterable[str], view: APIView, request: Request
    ) -> list[str]:
        fields = list(fields)
        valid = [name for name, _ in self.get_valid_fields(queryset, view, {"request": request})]
        if unknown := [field for field in fields if field.removeprefix("-") not in valid]:
            words = f"The list can't be ordered by {', '.join(unknown)}; it can by: {', '.join(valid) or 'nothing'}."
            raise ValidationError({"ordering": [words]})
        return fields


_known: dict[type, frozenset[str]] = {}


def _names(view: Any) -> frozenset[str]:
    """Worked out once a view."""
    if type(view) not in _known:
        filters = DjangoFilterBackend().get_filterset_class(view, view.queryset)
        pages = view.paginator
        own = {"search", "ordering", pages.cursor_query_param, pages.page_size_query_param}
        _known[type(view)] = frozenset(own | set(filters.base_filters if filters else ()))
    return _known[type(view)]
