"""Filters of the list of hosts."""

from __future__ import annotations

from django_filters.rest_framework import FilterSet  # type: ignore[import-untyped]

from mirrors.api.filtersets.shared_filters import time_range
from mirrors.models import HostBudget


class HostFilter(FilterSet):  # type: ignore[misc]
    updated_after, updated_before = time_range("updated_at")

    class Meta:
        model = HostBudget
        fields = ("host",)
