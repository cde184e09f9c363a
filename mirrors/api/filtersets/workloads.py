"""Filters of the list of workloads."""

from __future__ import annotations

from django_filters.rest_framework import FilterSet  # type: ignore[import-untyped]

from mirrors.api.filtersets.shared_filters import ClusterNamespaceFilter, time_range
from mirrors.models import ImageUse


class UseFilter(FilterSet):  # type: ignore[misc]
    namespace = ClusterNamespaceFilter()
    last_seen_after, last_seen_before = time_range("last_seen_at")

    class Meta:
        model = ImageUse
        fields = (
            "cluster",
            "namespace",
            "workload_kind",
            "workload",
            "mapping",
        )
