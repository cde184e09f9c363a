"""Rows that the file declares and operators add to: registries, and what filters share with them."""

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
from mirrors.api.who import who
from mirrors.models import Filter, ManagedBy, Registry, RegistryCheck, RegistryRole
from mirrors.selectors import declared

Declarable = TypeVar("Declarable", Filter, Registry)


class DeclarableViewSet(viewsets.ModelViewSet[Declarable]):
    """Rows that the configuration file may declare: those are shown, and can't be changed here."""

    def get_object(self) -> Declarable:
        row: Any = super().get_object()
        self._bring_up_to_date([row])
        return row  # type: ignore[no-any-return]

    def paginate_queryset(self, queryset: Any) -> Any:
        rows = super().paginate_queryset(queryset)
        self._bring_up_to_date(rows or [])
        return rows

    def _bring_up_to_date(self, rows: Any) -> None:
        """The configuration file's are shown as the file in force has them."""
        assert self.queryset is not None
        model: Any = self.queryset.model
        declared.bring_up_to_date(rows, declared.in_force(model))

    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        try:
            return super().create(request, *args, **kwargs)
        except IntegrityError:
            # Somebody has saved the like between the check and the write: the check sees it now.
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
    """Registries that images come from and go to. The target, and what the file declares, can't be changed here."""

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
        """Registries that webhooks and workers use now: the configuration file's as the file is, and the admin's."""
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
        """Have the next free worker test it. While a test is live, the answer is that one; look at it under checks."""
        found, is_new = services.request_check(registry=self.get_object(), requested_by=who(request))
        code = status.HTTP_201_CREATED if is_new else status.HTTP_200_OK
        return Response(serializers.CheckSerializer(found).data, status=code)

    @extend_schema(responses=serializers.CheckSerializer(many=True), filters=False)
    @action(detail=True, pagination_class=None, filter_backends=[])
    def checks(self, request: Request, pk: str) -> Response:
        """Its last ten tests with their steps so far, the newest first."""
        rows = RegistryCheck.objects.filter(registry=self.get_object()).order_by("-id")[:10]
        return Response(serializers.CheckSerializer(rows, many=True).data)


def _refuse_if_from_file(managed_by: str) -> None:
    if managed_by == ManagedBy.CONFIG:
        raise PermissionDenied("This comes from the configuration file: change it there.")
