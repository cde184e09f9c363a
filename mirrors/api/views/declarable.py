"""The base class of the views of filters and registries, which the configuration file or users can declare."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from django.db import IntegrityError
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import viewsets
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from mirrors.api.requests.parameters import KnownParameters
from mirrors.models import Filter, ManagedBy, Registry
from mirrors.selectors.configuration import declared

Declarable = TypeVar("Declarable", Filter, Registry)
V = TypeVar("V", bound=type[viewsets.ModelViewSet[Any]])


def describe_writes(noun: str) -> Callable[[V], V]:
    """Describe the actions of a view that change rows in the schema. Otherwise, each has the description of the
    view."""
    file_note = f"A {noun} of the configuration file cannot be changed here."
    return extend_schema_view(
        create=extend_schema(description=f"Create a {noun}."),
        update=extend_schema(description=f"Replace a {noun}. {file_note}"),
        partial_update=extend_schema(description=f"Change the given fields of a {noun}. {file_note}"),
        destroy=extend_schema(description=f"Delete a {noun}. {file_note}"),
    )


class DeclarableViewSet(KnownParameters, viewsets.ModelViewSet[Declarable]):
    """Rows that the configuration file can declare. The API cannot change the rows that it declares."""

    def get_object(self) -> Declarable:
        row: Any = super().get_object()
        self._apply_declared_values([row])
        return row  # type: ignore[no-any-return]

    def paginate_queryset(self, queryset: Any) -> Any:
        rows = super().paginate_queryset(queryset)
        self._apply_declared_values(rows or [])
        return rows

    def _apply_declared_values(self, rows: Any) -> None:
        """Set the fields of rows that the configuration file declares to the values of the active file."""
        assert self.queryset is not None
        model: Any = self.queryset.model
        declared.apply_declared_values(rows, declared.active_rows(model))

    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        try:
            return super().create(request, *args, **kwargs)
        except IntegrityError:
            # Another user saved a conflicting row between validation and write. Validation now finds that row.
            return super().create(request, *args, **kwargs)

    def update(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        try:
            return super().update(request, *args, **kwargs)
        except IntegrityError:
            return super().update(request, *args, **kwargs)

    def perform_update(self, serializer: BaseSerializer[Declarable]) -> None:
        assert serializer.instance is not None
        _reject_row_of_file(serializer.instance.managed_by)
        serializer.save()

    def perform_destroy(self, instance: Declarable) -> None:
        _reject_row_of_file(instance.managed_by)
        instance.delete()


def _reject_row_of_file(managed_by: str) -> None:
    if managed_by == ManagedBy.CONFIG:
        raise PermissionDenied("This row is managed by the configuration file: change it there.")
