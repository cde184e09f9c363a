"""Filters of the list of repositories."""

from __future__ import annotations

from django_filters.rest_framework import FilterSet  # type: ignore[import-untyped]

from mirrors.api.filtersets.shared_filters import time_range
from mirrors.models import TargetRepository


class RepositoryFilter(FilterSet):  # type: ignore[misc]
    checked_after, checked_before = time_range("checked_at")

    class Meta:
        model = TargetRepository
        fields = (
            "has_differences",
            "pulls_through",
            "registry",
        )
