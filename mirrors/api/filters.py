"""Filters as a resource: listed, edited, and tried before they are saved."""

from __future__ import annotations

from typing import ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from mirrors.accounts.roles import Role
from mirrors.api import serializers, tries
from mirrors.api.configured import DeclarableViewSet
from mirrors.models import Filter, ManagedBy


class FilterViewSet(DeclarableViewSet[Filter]):
    """Queries for images that are left alone. Those of the configuration file are shown, and can't be changed here."""

    queryset = Filter.objects.all()
    serializer_class = serializers.FilterSerializer
    filterset_fields = ("enabled", "managed_by")
    search_fields = ("name", "jmespath")
    ordering_fields = ("id", "position")
    roles: ClassVar[dict[str, Role]] = {"test": Role.VIEWER, "impact": Role.VIEWER}

    def perform_create(self, serializer: BaseSerializer[Filter]) -> None:
        serializer.save(managed_by=ManagedBy.OPERATOR)

    @extend_schema(request=tries.FilterTestSerializer, responses=tries.FilterAnswerSerializer(many=True), filters=False)
    @action(detail=False, methods=["post"], pagination_class=None, filter_backends=[])
    def test(self, request: Request) -> Response:
        """Try a query on a pod, image by image, without saving it."""
        asked = tries.FilterTestSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        return Response(tries.try_filter(asked.validated_data["jmespath"], asked.validated_data["pod"]))

    @extend_schema(request=tries.FilterImpactSerializer, responses=tries.ImpactSerializer, filters=False)
    @action(detail=False, methods=["post"], pagination_class=None, filter_backends=[])
    def impact(self, request: Request) -> Response:
        """Which of the pods sampled in the last day would be decided otherwise if this were saved."""
        asked = tries.FilterImpactSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        return Response(tries.ImpactSerializer(tries.impact_of_filter(asked.validated_data)).data)
