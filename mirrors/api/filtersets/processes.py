"""Filters of the list of processes."""

from __future__ import annotations

from django_filters.rest_framework import FilterSet  # type: ignore[import-untyped]

from mirrors.api.filtersets.shared_filters import time_range
from mirrors.models import Instance


class InstanceFilter(FilterSet):  # type: ignore[misc]
    started_after, started_before = time_range("started_at")
    seen_after, seen_before = time_range("seen_at")

    class Meta:
        model = Instance
        fields = ("role", "cluster")
