"""Rows of the configuration file and of users: registries, and the base class that filters share."""

from __future__ import annotations

from typing import Any, ClassVar, TypeVar

from django.db import IntegrityError
from drf_spectacular.utils import extend_schema
from rest_framework import status, viewsets
from rest_framework.decorators import action
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from mirrors import services
from mirrors.accounts.roles import Role
from mirrors.api import serializers
from mirrors.api.current_user import who
from mirrors.models import Filter, ManagedBy, Registry, RegistryCheck, RegistryRole
from mirrors.selectors import declared

Declarable = TypeVar("Declarable", Filter, Registry)


class DeclarableViewSet(viewsets.ModelViewSet[Declarable]):
    """Rows that the configuration file can declare; such rows are read-only here."""

    def get_object(self) -> Declarable:
        row: Any = super().get_object()
        self._bring_up_to_date([row])
        return row  # type: ignore[no-any-return]

    def paginate_queryset(self, queryset: Any) -> Any:
        rows = super().paginate_queryset(queryset)
        self._bring_up_to_date(rows or [])
        return rows

    def _bring_up_to_date(self, rows: Any) -> None:
        """Shows rows of the configuration file as in the active file."""
        assert self.queryset is not None
        model: Any = self.queryset.model
        declared.bring_up_to_date(rows, declared.in_force(model))

    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        try:
            return super().create(request, *args, **kwargs)
        except IntegrityError:
            # Another user saved such a row between validation and write: validation finds it now.
            return super().create(request, *args, **kwargs)

    def update(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        try:
            return super().update(request, *args, **kwargs)
        except IntegrityError:
            return super().update(request, *args, **kwargs)

    def perform_update(self, serializer: BaseSerializer[Declarable]) -> None:
        assert serializer.instance is not None
        _refuse_if_from_file(serializer.instance.managed_by)
        serializer.save()

    def perform_destroy(self, instance: Declarable) -> None:
        _refuse_if_from_file(instance.managed_by)
        instance.delete()


class RegistryViewSet(DeclarableViewSet[Registry]):
    """Source and target registries. The target and the registries of the configuration file are read-only here."""

    queryset = Registry.objects.all()
    serializer_class = serializers.RegistrySerializer
    filterset_fields = ("role", "kind", "enabled", "managed_by")
    search_fields = ("name", "endpoint")
    roles: ClassVar[dict[str, Role]] = {"check": Role.OPERATOR}

    def perform_create(self, serializer: BaseSerializer[Registry]) -> None:
        serializer.save(role=RegistryRole.SOURCE, managed_by=ManagedBy.OPERATOR)

    @extend_schema(responses=serializers.RegistryInForceSerializer(many=True), filters=False)
    @action(detail=False, url_path="in-force", pagination_class=None, filter_backends=[])
    def in_force(self, request: Request) -> Response:
        """The active registries, which webhooks and workers use now: those of the configuration file and of the
        admin."""
        of_file = declared.in_force(Registry)
        rows = Registry.objects.filter(enabled=True).order_by("-role", "id")
        if of_file is not None:
            rows = rows.filter(managed_by=ManagedBy.OPERATOR)
        named = {declared.key_of(row) for row in of_file or ()}
        found = [*(of_file or ()), *(row for row in rows if declared.key_of(row) not in named)]
        return Response(serializers.RegistryInForceSerializer(found, many=True).data)

    @extend_schema(request=None, responses={200: serializers.CheckSerializer, 201: serializers.CheckSerializer})
    @action(detail=True, methods=["post"])
    def check(self, request: Request, pk: str) -> Response:
        """Request a connection test, which the next free worker runs. While a test is active, that test is returned.
        See
        its results under checks."""
        found, is_new = services.request_check(registry=self.get_object(), requested_by=who(request))
        code = status.HTTP_201_CREATED if is_new else status.HTTP_200_OK
        return Response(serializers.CheckSerializer(found).data, status=code)

    @extend_schema(responses=serializers.CheckSerializer(many=True), filters=False)
    @action(detail=True, pagination_class=None, filter_backends=[])
    def checks(self, request: Request, pk: str) -> Response:
        """The last ten connection tests with their steps so far; newest first."""
        rows = RegistryCheck.objects.filter(registry=self.get_object()).order_by("-id")[:10]
        return Response(serializers.CheckSerializer(rows, many=True).data)


def _refuse_if_from_file(managed_by: str) -> None:
    if managed_by == ManagedBy.CONFIG:
        raise PermissionDenied("This row is managed by the configuration file: change it there.")
