"""Filters of the list of jobs."""

from __future__ import annotations

from django_filters.rest_framework import CharFilter, FilterSet  # type: ignore[import-untyped]

from mirrors.api.filtersets.shared_filters import ClusterNamespaceFilter, time_range
from mirrors.models import MirrorJob
from mirrors.models.jobs.jobs import MirrorJobQuerySet


class JobFilter(FilterSet):  # type: ignore[misc]
    namespace = ClusterNamespaceFilter()
    error_host = CharFilter(method="at_registry", label="Registry at which the jobs failed.", max_length=260)
    created_after, created_before = time_range("created_at")
    finished_after, finished_before = time_range("finished_at")

    class Meta:
        model = MirrorJob
        fields = (
            "status",
            "error_class",
            "cluster",
            "namespace",
            "priority",
            "trigger",
            "mapping",
        )

    def at_registry(self, jobs: MirrorJobQuerySet, name: str, host: str) -> MirrorJobQuerySet:
        return jobs.failed_at(host)
