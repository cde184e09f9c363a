"""Query parameters of lists: unknown ones are rejected, because ignoring them would return all rows."""

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
    """Rejects unknown parameters: a misspelt filter would select everything."""

    def filter_queryset(self, request: Request, queryset: QuerySet[Any], view: Any) -> QuerySet[Any]:
        if view.action == "list":
            known = _known_of(view)
            check(request, known.names)
            for name in known.booleans & set(request.query_params):
                if request.query_params[name].lower() not in ("true", "false", ""):
                    raise ValidationError({name: ["Must be true or false."]})
        return queryset


class KnownOrdering(OrderingFilter):
    """Rejects fields that a list cannot be ordered by; the default is ``id``."""

    def get_default_valid_fields(
        self, queryset: QuerySet[Any], view: APIView, context: Any = None
    ) -> list[tuple[str, str]]:
        # DRF allows every field of the serializer, also those without an index: slow with a million rows.
        return [("id", "id")]

    def remove_invalid_fields(
        self, queryset: QuerySet[Any], fields: Iterable[str], view: APIView, request: Request
    ) -> list[str]:
        fields = list(fields)
        valid = [name for name, _ in self.get_valid_fields(queryset, view, {"request": request})]
        if unknown := [field for field in fields if field.removeprefix("-") not in valid]:
            words = f"This list cannot be ordered by {', '.join(unknown)}; allowed: {', '.join(valid) or 'none'}."
            raise ValidationError({"ordering": [words]})
        return fields


def check(request: Request, names: Collection[str]) -> None:
    """Raises ValidationError if a parameter is not one of these, or is repeated."""
    words = f"Unknown parameter; allowed: {', '.join(sorted(names)) or 'none'}."
    wrong = {name: [words] for name in request.query_params if name not in names}
    repeated = ["This parameter is repeated: only one value is allowed."]
    twice = {name: repeated for name, values in request.query_params.lists() if len(values) > 1}
    if wrong or twice:
        raise ValidationError({**twice, **wrong})


@dataclass(frozen=True, slots=True)
class _Known:
    names: frozenset[str]
    booleans: frozenset[str]


_known: dict[type, _Known] = {}


def _known_of(view: Any) -> _Known:
    """Computed once per view."""
    if type(view) not in _known:
        found = DjangoFilterBackend().get_filterset_class(view, view.queryset)
        filters = found.base_filters if found else {}
        pages = view.paginator
        own = {"ordering", pages.cursor_query_param, pages.page_size_query_param}
        own |= {"search"} if getattr(view, "search_fields", None) else set()
        booleans = frozenset(name for name, filter_ in filters.items() if isinstance(filter_, BooleanFilter))
        _known[type(view)] = _Known(frozenset(own | set(filters)), booleans)
    return _known[type(view)]
