"""Filters of the list of mappings."""

from __future__ import annotations

from django.db.models import Exists, OuterRef, QuerySet
from django_filters.rest_framework import CharFilter, ChoiceFilter, FilterSet  # type: ignore[import-untyped]

from mirrors.api.filtersets.shared_filters import time_range
from mirrors.models import ErrorClass, ImageMapping, JobStatus, MirrorJob
from mirrors.selectors.images.mapping_states import STATE_CHOICES, STATES

Rows = QuerySet[ImageMapping]


class MappingFilter(FilterSet):  # type: ignore[misc]
    state = ChoiceFilter(method="in_state", choices=STATE_CHOICES, label="State, in one word.")
    error_class = ChoiceFilter(
        method="with_error",
        choices=[choice for choice in ErrorClass.choices if choice[0]],
        label="Error of the last job, if it failed.",
    )
    error_host = CharFilter(method="at_registry", label="Registry at which the last job failed.", max_length=260)
    last_seen_after, last_seen_before = time_range("last_seen_at")

    class Meta:
        model = ImageMapping
        fields = ("existence", "access", "obstacle", "paused", "target_registry")

    def in_state(self, rows: Rows, name: str, state: str) -> Rows:
        return rows.filter(STATES[state])

    def with_error(self, rows: Rows, name: str, error_class: str) -> Rows:
        return rows.filter(last_job__status=JobStatus.FAILED, last_job__error_class=error_class)

    def at_registry(self, rows: Rows, name: str, host: str) -> Rows:
        # Only the last job of each mapping is checked, because far more jobs have failed at the registry.
        there = MirrorJob.objects.filter(pk=OuterRef("last_job")).failed_at(host)
        return rows.filter(Exists(there), last_job__status=JobStatus.FAILED)
