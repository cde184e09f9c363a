"""Registries, and their connection tests."""

from __future__ import annotations

from typing import ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from mirrors import services
from mirrors.accounts.roles import Role
from mirrors.api import serializers
from mirrors.api.filtersets.registries import RegistryFilter
from mirrors.api.requests.current_user import username_of
from mirrors.api.requests.no_fields import rejects_body
from mirrors.api.views.declarable import DeclarableViewSet, describe_writes
from mirrors.models import ManagedBy, Registry, RegistryCheck, RegistryRole
from mirrors.selectors.configuration import declared
from mirrors.selectors.queries.search_fields import SEARCH_FIELDS


@describe_writes("registry")
class RegistryViewSet(DeclarableViewSet[Registry]):
    """Source and target registries. The target and the registries of the configuration file are read-only."""

    queryset = Registry.objects.all()
    serializer_class = serializers.RegistrySerializer
    filterset_class = RegistryFilter
    search_fields = SEARCH_FIELDS[Registry]
    roles: ClassVar[dict[str, Role]] = {"check": Role.OPERATOR}

    def perform_create(self, serializer: BaseSerializer[Registry]) -> None:
        serializer.save(role=RegistryRole.SOURCE, managed_by=ManagedBy.OPERATOR)

    @extend_schema(responses=serializers.RegistryInForceSerializer(many=True), filters=False)
    @action(detail=False, url_path="in-force", pagination_class=None, filter_backends=[])
    def in_force(self, request: Request) -> Response:
        """List the active registries, which webhooks and workers use now: those of the configuration file, and those of
        users."""
        file_rows = declared.active_rows(Registry)
        rows = Registry.objects.filter(enabled=True).order_by("-role", "id")
        if file_rows is not None:
            rows = rows.filter(managed_by=ManagedBy.OPERATOR, cluster__in=declared.clusters_of_rows())
        declared_keys = {declared.key_of(row) for row in file_rows or ()}
        active = [*(file_rows or ()), *(row for row in rows if declared.key_of(row) not in declared_keys)]
        return Response(serializers.RegistryInForceSerializer(active, many=True).data)

    @extend_schema(request=None, responses={200: serializers.CheckSerializer, 201: serializers.CheckSerializer})
    @action(detail=True, methods=["post"])
    @rejects_body
    def check(self, request: Request, pk: str) -> Response:
        """Request a connection test, which the next free worker runs. If a test is active, that test is returned. The
        results are under `checks`."""
        test, is_new = services.request_check(registry=self.get_object(), requested_by=username_of(request))
        code = status.HTTP_201_CREATED if is_new else status.HTTP_200_OK
        return Response(serializers.CheckSerializer(test).data, status=code)

    @extend_schema(responses=serializers.CheckSerializer(many=True), filters=False)
    @action(detail=True, pagination_class=None, filter_backends=[])
    def checks(self, request: Request, pk: str) -> Response:
        """List the last ten connection tests with their completed steps; newest first."""
        rows = RegistryCheck.objects.filter(registry=self.get_object()).order_by("-id")[:10]
        return Response(serializers.CheckSerializer(rows, many=True).data)
