"""Filters of the lists of targets by health and of restart loops."""

from __future__ import annotations

from django_filters.rest_framework import FilterSet  # type: ignore[import-untyped]

from mirrors.api.filtersets.shared_filters import ClusterNamespaceFilter, time_range
from mirrors.models import RestartLoop, TargetHealth


class TargetHealthFilter(FilterSet):  # type: ignore[misc]
    class Meta:
        model = TargetHealth
        fields = ("cluster", "registry", "state")


class RestartLoopFilter(FilterSet):  # type: ignore[misc]
    namespace = ClusterNamespaceFilter()
    detected_after, detected_before = time_range("detected_at")

    class Meta:
        model = RestartLoop
        fields = ("cluster", "namespace", "workload_kind", "workload", "source")
