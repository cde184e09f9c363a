"""Filters of the list of failing pulls."""

from __future__ import annotations

from django_filters.rest_framework import FilterSet  # type: ignore[import-untyped]

from mirrors.api.filtersets.shared_filters import time_range
from mirrors.models import PullFailure


class PullFailureFilter(FilterSet):  # type: ignore[misc]
    first_seen_after, first_seen_before = time_range("first_seen_at")

    class Meta:
        model = PullFailure
        fields = ("cluster", "cause", "at", "source", "is_mirrored")
