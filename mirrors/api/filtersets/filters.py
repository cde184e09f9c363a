"""Filters of the list of filters."""

from __future__ import annotations

from django_filters.rest_framework import FilterSet  # type: ignore[import-untyped]

from mirrors.api.filtersets.shared_filters import time_range
from mirrors.models import Filter


class FilterFilter(FilterSet):  # type: ignore[misc]
    created_after, created_before = time_range("created_at")
    updated_after, updated_before = time_range("updated_at")

    class Meta:
        model = Filter
        fields = (
            "enabled",
            "cluster",
            "managed_by",
        )
