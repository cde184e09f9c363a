"""Repositories at the target, and their settings."""

from __future__ import annotations

from typing import ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework import status, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from mirrors import services
from mirrors.accounts.roles import Role
from mirrors.api import serializers
from mirrors.api.filtersets.repositories import RepositoryFilter
from mirrors.api.requests.current_user import username_of
from mirrors.api.requests.no_fields import rejects_body
from mirrors.api.requests.parameters import KnownParameters
from mirrors.models import TargetRepository
from mirrors.selectors.queries.search_fields import SEARCH_FIELDS


class RepositoryViewSet(KnownParameters, viewsets.ReadOnlyModelViewSet[TargetRepository]):
    """Repositories at the target, and which of their settings differ from the configuration."""

    queryset = TargetRepository.objects.all()
    serializer_class = serializers.RepositorySerializer
    filterset_class = RepositoryFilter
    search_fields = SEARCH_FIELDS[TargetRepository]
    roles: ClassVar[dict[str, Role]] = {"apply": Role.OPERATOR}

    @extend_schema(request=None, responses={202: serializers.RepositorySerializer})
    @action(detail=True, methods=["post"])
    @rejects_body
    def apply(self, request: Request, pk: str) -> Response:
        """Request the next free worker to apply the configured settings to the repository."""
        row: TargetRepository = self.get_object()
        if not row.has_differences:
            raise services.ActionRefusedError(
                f"The settings of {row.name} do not differ from the configuration: there is nothing to apply."
            )
        services.request_settings(repository_ids=[row.pk], requested_by=username_of(request))
        row.refresh_from_db()
        return Response(self.get_serializer(row).data, status=status.HTTP_202_ACCEPTED)
