"""Recent admissions: a sample of the reviews, each with the decisions on its images."""

from __future__ import annotations

from typing import Any

from rest_framework import viewsets
from rest_framework.serializers import BaseSerializer

from mirrors.api import serializers
from mirrors.api.filtersets.admissions import AdmissionFilter
from mirrors.api.requests.parameters import KnownParameters
from mirrors.models import AdmissionSample
from mirrors.selectors.images.admissions import SEARCH_FIELDS


class AdmissionViewSet(KnownParameters, viewsets.ReadOnlyModelViewSet[AdmissionSample]):
    """A sample of the admissions of pods, kept for seven days; newest first."""

    queryset = AdmissionSample.objects.all()
    serializer_class = serializers.AdmissionSerializer
    search_fields = SEARCH_FIELDS
    filterset_class = AdmissionFilter

    def get_queryset(self) -> Any:
        rows = super().get_queryset()
        return rows if self.action == "retrieve" else rows.defer("pod")

    def get_serializer_class(self) -> type[BaseSerializer[AdmissionSample]]:
        return serializers.AdmissionDetailSerializer if self.action == "retrieve" else self.serializer_class
