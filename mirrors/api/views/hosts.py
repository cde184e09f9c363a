"""Rate limits of registry hosts."""

from __future__ import annotations

from typing import ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework import viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from mirrors import services
from mirrors.accounts.roles import Role
from mirrors.api import serializers
from mirrors.api.filtersets.hosts import HostFilter
from mirrors.api.requests.current_user import username_of
from mirrors.api.requests.no_fields import rejects_body
from mirrors.api.requests.parameters import KnownParameters
from mirrors.models import HostBudget
from mirrors.selectors.queries.search_fields import SEARCH_FIELDS


class HostViewSet(KnownParameters, viewsets.ReadOnlyModelViewSet[HostBudget]):
    """Registry hosts that are rate limited, have a budget of requests, or have reported their remaining pulls."""

    queryset = HostBudget.objects.all()
    serializer_class = serializers.HostSerializer
    filterset_class = HostFilter
    search_fields = SEARCH_FIELDS[HostBudget]
    roles: ClassVar[dict[str, Role]] = {"resume": Role.OPERATOR}

    @extend_schema(request=None, responses=serializers.HostSerializer)
    @action(detail=True, methods=["post"])
    @rejects_body
    def resume(self, request: Request, pk: str) -> Response:
        """End the rate limit of a host now. If the host still limits requests, copies wait again."""
        row: HostBudget = self.get_object()
        if not services.resume_hosts(host_ids=[row.pk], requested_by=username_of(request)):
            raise services.ActionRefusedError(f"{row.host} is not rate limited: there is nothing to resume.")
        row.refresh_from_db()
        return Response(self.get_serializer(row).data)
