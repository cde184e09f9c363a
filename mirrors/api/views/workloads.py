"""Workloads that use mirrored images."""

from __future__ import annotations

from rest_framework import mixins, viewsets

from mirrors.api import serializers
from mirrors.api.filtersets.workloads import UseFilter
from mirrors.api.requests.parameters import KnownParameters
from mirrors.models import ImageUse
from mirrors.selectors.queries.search_fields import SEARCH_FIELDS


class UseViewSet(KnownParameters, mixins.ListModelMixin, viewsets.GenericViewSet[ImageUse]):
    """Workloads, and the images that they use."""

    queryset = ImageUse.objects.select_related("mapping")
    serializer_class = serializers.UseSerializer
    filterset_class = UseFilter
    search_fields = SEARCH_FIELDS[ImageUse]
