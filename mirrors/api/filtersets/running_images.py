"""Filters of the list of running images."""

from __future__ import annotations

from django.db.models import QuerySet
from django_filters.rest_framework import BooleanFilter, FilterSet  # type: ignore[import-untyped]

from mirrors.api.filtersets.shared_filters import ClusterNamespaceFilter
from mirrors.models import RunningImage
from mirrors.selectors.clusters.running_images import only_mirrored


class RunningImageFilter(FilterSet):  # type: ignore[misc]
    namespace = ClusterNamespaceFilter()
    mirrored = BooleanFilter(method="only_mirrored", help_text="Whether a target is known to have the image.")

    class Meta:
        model = RunningImage
        fields = ("cluster", "namespace", "workload_kind", "workload", "source", "state")

    def only_mirrored(self, rows: QuerySet[RunningImage], name: str, value: bool) -> QuerySet[RunningImage]:
        return only_mirrored(rows, mirrored=value)
