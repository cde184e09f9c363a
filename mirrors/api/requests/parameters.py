"""Checks of query parameters. Unknown ones are rejected, because ignoring a misspelt filter would return all rows."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any, ClassVar

from django.db.models import QuerySet
from django_filters.rest_framework import DjangoFilterBackend  # type: ignore[import-untyped]
from rest_framework.exceptions import ValidationError
from rest_framework.filters import OrderingFilter
from rest_framework.request import Request
from rest_framework.views import APIView


class KnownParameters(APIView):
    """Mixin of all views that rejects unknown query parameters."""

    query_parameters: ClassVar[Collection[str]] = ()
    """The query parameters of a view that is not a list with filters."""

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        method = str(request.method).lower()
        # An unsupported method is reported first, as 405. OPTIONS takes no parameters and is not checked.
        if method != "options" and hasattr(self, method):
            check(request, _allowed_parameters(self))


class KnownOrdering(OrderingFilter):
    """Rejects fields that a list cannot be ordered by. Without ``ordering_fields``, only ``id`` is allowed."""

    def get_default_valid_fields(
        self, queryset: QuerySet[Any], view: APIView, context: Any = None
    ) -> list[tuple[str, str]]:
        # DRF's default allows every field of the serializer. Fields without an index are slow with a million rows.
        return [("id", "id")]

    def remove_invalid_fields(
        self, queryset: QuerySet[Any], fields: Iterable[str], view: APIView, request: Request
    ) -> list[str]:
        fields = list(fields)
        valid = [name for name, _ in self.get_valid_fields(queryset, view, {"request": request})]
        if unknown := [field for field in fields if field.removeprefix("-") not in valid]:
            message = f"This list cannot be ordered by {', '.join(unknown)}; allowed: {', '.join(valid) or 'none'}."
            raise ValidationError({"ordering": [message]})
        return fields


def check(request: Request, names: Collection[str]) -> None:
    """Raise ValidationError if a query parameter is not one of these names, or is repeated."""
    message = f"Unknown parameter; allowed: {', '.join(sorted(names)) or 'none'}."
    unknown = {name: [message] for name in request.query_params if name not in names}
    repeated = ["This parameter is repeated: only one value is allowed."]
    repeated_names = {name: repeated for name, values in request.query_params.lists() if len(values) > 1}
    if unknown or repeated_names:
        raise ValidationError({**repeated_names, **unknown})


_allowed_by_view: dict[type, frozenset[str]] = {}


def _allowed_parameters(view: Any) -> Collection[str]:
    """Return the query parameters of a view. Those of lists (filters, search, order, pages) are cached per view."""
    if not (getattr(view, "action", "") == "list" and hasattr(view, "paginator")):
        return view.query_parameters  # type: ignore[no-any-return]
    if type(view) not in _allowed_by_view:
        filterset = DjangoFilterBackend().get_filterset_class(view, view.queryset)
        paginator: Any = view.paginator
        names = {"ordering", paginator.cursor_query_param, paginator.page_size_query_param}
        names |= {"search"} if getattr(view, "search_fields", None) else set()
        _allowed_by_view[type(view)] = frozenset(names | set(filterset.base_filters if filterset else ()))
    return _allowed_by_view[type(view)]
