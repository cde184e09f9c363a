"""Suspensions of swaps, and the actions that end them."""

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
from mirrors.api.filtersets.suspensions import RestartLoopFilter, TargetHealthFilter
from mirrors.api.requests.current_user import username_of
from mirrors.api.requests.no_fields import rejects_body
from mirrors.api.requests.parameters import KnownParameters
from mirrors.models import RestartLoop, TargetHealth
from mirrors.selectors.queries.search_fields import SEARCH_FIELDS


class TargetHealthViewSet(KnownParameters, viewsets.ReadOnlyModelViewSet[TargetHealth]):
    """The health of targets: whether the nodes of each cluster can pull from the target. Targets that never had a
    problem are not listed."""

    queryset = TargetHealth.objects.all()
    serializer_class = serializers.TargetHealthSerializer
    filterset_class = TargetHealthFilter
    search_fields = SEARCH_FIELDS[TargetHealth]
    roles: ClassVar[dict[str, Role]] = {"declare_healthy": Role.OPERATOR}

    @extend_schema(request=None, responses=serializers.TargetHealthSerializer)
    @action(detail=True, methods=["post"], url_path="declare-healthy")
    @rejects_body
    def declare_healthy(self, request: Request, pk: str) -> Response:
        """Swap the images of all new pods to the target again, without a test."""
        row: TargetHealth = self.get_object()
        if not services.declare_healthy(health_ids=[row.pk], requested_by=username_of(request)):
            raise services.ActionRefusedError(f"{row.registry} is already healthy: there is nothing to do.")
        row.refresh_from_db()
        return Response(self.get_serializer(row).data)


class RestartLoopViewSet(KnownParameters, viewsets.ReadOnlyModelViewSet[RestartLoop]):
    """Restart loops: workloads whose pods were deleted again and again right after their image was swapped. New pods
    keep the source until the loop expires or is released."""

    queryset = RestartLoop.objects.all()
    serializer_class = serializers.RestartLoopSerializer
    filterset_class = RestartLoopFilter
    search_fields = SEARCH_FIELDS[RestartLoop]
    roles: ClassVar[dict[str, Role]] = {"release": Role.OPERATOR}

    @extend_schema(request=None, responses=serializers.RestartLoopSerializer)
    @action(detail=True, methods=["post"])
    @rejects_body
    def release(self, request: Request, pk: str) -> Response:
        """Release the restart loop: the image is swapped again in new pods of the workload."""
        row: RestartLoop = self.get_object()
        if not services.release_loops(loop_ids=[row.pk], requested_by=username_of(request)):
            raise services.ActionRefusedError(
                f"The loop of {row.workload} is no longer active: there is nothing to release."
            )
        row.refresh_from_db()
        return Response(self.get_serializer(row).data)
