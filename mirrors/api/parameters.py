"""Parameters of lists: what a list does not know it refuses, where others would silently give all rows."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet
from django_filters.rest_framework import BooleanFilter, DjangoFilterBackend  # type: ignore[import-untyped]
from rest_framework.exceptions import ValidationError
from rest_framework.filters import BaseFilterBackend, OrderingFilter
from rest_framework.request import Request
from rest_framework.views import APIView


class KnownParameters(BaseFilterBackend):
    """A misspelt filter would select everything."""

    def filter_queryset(self, request: Request, queryset: QuerySet[Any], view: Any) -> QuerySet[Any]:
        if view.action == "list":
            known = _known_of(view)
            check(request, known.names)
            for name in known.booleans & set(request.query_params):
                if request.query_params[name].lower() not in ("true", "false", ""):
                    raise ValidationError({name: ["Write true or false."]})
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


def check(request: Request, names: Collection[str]) -> None:
    """Raises ValidationError where a parameter is none of these, or stands there twice."""
    words = f"There is no such parameter here; there are: {', '.join(sorted(names)) or 'none'}."
    wrong = {name: [words] for name in request.query_params if name not in names}
    repeated = ["It stands there twice: of several values one is taken."]
    twice = {name: repeated for name, values in request.query_params.lists() if len(values) > 1}
    if wrong or twice:
        raise ValidationError({**twice, **wrong})


@dataclass(frozen=True, slots=True)
class _Known:
    names: frozenset[str]
    booleans: frozenset[str]


_known: dict[type, _Known] = {}


def _known_of(view: Any) -> _Known:
    """Worked out once a view."""
    if type(view) not in _known:
        found = DjangoFilterBackend().get_filterset_class(view, view.queryset)
        filters = found.base_filters if found else {}
        pages = view.paginator
        own = {"ordering", pages.cursor_query_param, pages.page_size_query_param}
        own |= {"search"} if getattr(view, "search_fields", None) else set()
        booleans = frozenset(name for name, filter_ in filters.items() if isinstance(filter_, BooleanFilter))
        _known[type(view)] = _Known(frozenset(own | set(filters)), booleans)
    return _known[type(view)]
