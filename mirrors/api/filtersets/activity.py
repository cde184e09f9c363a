"""Filters of the list of actions."""

from __future__ import annotations

from django_filters.rest_framework import FilterSet  # type: ignore[import-untyped]

from mirrors.api.filtersets.shared_filters import time_range
from mirrors.models import OperatorAction


class ActionFilter(FilterSet):  # type: ignore[misc]
    created_after, created_before = time_range("created_at")

    class Meta:
        model = OperatorAction
        fields = (
            "actor",
            "action",
            "mapping",
            "job",
        )
