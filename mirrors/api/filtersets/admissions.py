"""Filters of the list of admissions."""

from __future__ import annotations

from django_filters.rest_framework import FilterSet  # type: ignore[import-untyped]

from mirrors.api.filtersets.shared_filters import ClusterNamespaceFilter, time_range
from mirrors.models import AdmissionSample


class AdmissionFilter(FilterSet):  # type: ignore[misc]
    namespace = ClusterNamespaceFilter()
    created_after, created_before = time_range("created_at")

    class Meta:
        model = AdmissionSample
        fields = (
            "cluster",
            "namespace",
            "workload_kind",
            "workload",
        )
