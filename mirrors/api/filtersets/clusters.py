"""Filters of the lists of clusters and of their nodes."""

from __future__ import annotations

from django_filters.rest_framework import FilterSet  # type: ignore[import-untyped]

from mirrors.models import Cluster, ClusterNode


class ClusterFilter(FilterSet):  # type: ignore[misc]
    class Meta:
        model = Cluster
        fields = ("name",)


class ClusterNodeFilter(FilterSet):  # type: ignore[misc]
    class Meta:
        model = ClusterNode
        fields = ("cluster", "name", "platform", "ready")
