"""Filters: views to list and edit filters, and to try a filter before it is saved."""

from __future__ import annotations

from typing import ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from mirrors.accounts.roles import Role
from mirrors.api import serializers
from mirrors.api.filtersets.filters import FilterFilter
from mirrors.api.views.declarable import DeclarableViewSet, describe_writes
from mirrors.api.views.filter_trials import impact_of_filter, try_filter
from mirrors.models import Filter, ManagedBy
from mirrors.selectors.configuration import filter_impact
from mirrors.selectors.queries.search_fields import SEARCH_FIELDS


@describe_writes("filter")
class FilterViewSet(DeclarableViewSet[Filter]):
    """Filters, which exclude images from mirroring and swapping. Filters of the configuration file are read-only."""

    queryset = Filter.objects.all()
    serializer_class = serializers.FilterSerializer
    filterset_class = FilterFilter
    search_fields = SEARCH_FIELDS[Filter]
    ordering_fields = ("id", "position")
    roles: ClassVar[dict[str, Role]] = {"test": Role.VIEWER, "impact": Role.VIEWER}

    def perform_create(self, serializer: BaseSerializer[Filter]) -> None:
        serializer.save(managed_by=ManagedBy.OPERATOR)

    @extend_schema(responses=serializers.FilterInForceSerializer(many=True), filters=False)
    @action(detail=False, url_path="in-force", pagination_class=None, filter_backends=[])
    def in_force(self, request: Request) -> Response:
        """List the active filters in the order of evaluation: those of the configuration file, then those of users."""
        return Response(serializers.FilterInForceSerializer(filter_impact.active_filter_rows(), many=True).data)

    @extend_schema(
        request=serializers.FilterTestSerializer,
        responses=serializers.FilterAnswerSerializer(many=True),
        filters=False,
    )
    @action(detail=False, methods=["post"], pagination_class=None, filter_backends=[])
    def test(self, request: Request) -> Response:
        """Evaluate an expression on the images of a pod. Nothing is saved."""
        serializer = serializers.FilterTestSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        return Response(try_filter(serializer.validated_data["jmespath"], serializer.validated_data["pod"]))

    @extend_schema(request=serializers.FilterImpactSerializer, responses=serializers.ImpactSerializer, filters=False)
    @action(detail=False, methods=["post"], pagination_class=None, filter_backends=[])
    def impact(self, request: Request) -> Response:
        """List the images of pods sampled in the last 24 hours that would be newly excluded, or no longer excluded, if
        this filter were saved."""
        serializer = serializers.FilterImpactSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        return Response(serializers.ImpactSerializer(impact_of_filter(serializer.validated_data)).data)
