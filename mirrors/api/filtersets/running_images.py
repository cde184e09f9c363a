"""Filters of the list of running images."""

from __future__ import annotations

from django_filters.rest_framework import BooleanFilter, FilterSet  # type: ignore[import-untyped]

from mirrors.models import RunningImage


class RunningImageFilter(FilterSet):  # type: ignore[misc]
    mirrored = BooleanFilter(field_name="is_mirrored", help_text="Whether a target is known to have it.")

    class Meta:
        model = RunningImage
        fields = ("cluster", "namespace", "workload_kind", "workload", "source", "state")
