"""Filters of the lists of backfills and their images."""

from __future__ import annotations

from django_filters.rest_framework import CharFilter, FilterSet  # type: ignore[import-untyped]

from mirrors.api.filtersets.shared_filters import time_range
from mirrors.models import BackfillImage, BackfillRun
from mirrors.vocabulary.clusters import CLUSTER_LENGTH


class BackfillFilter(FilterSet):  # type: ignore[misc]
    created_after, created_before = time_range("created_at")

    class Meta:
        model = BackfillRun
        fields = ("cluster", "state")


class BackfillImageFilter(FilterSet):  # type: ignore[misc]
    cluster = CharFilter(field_name="run__cluster", label="Cluster of the backfill.", max_length=CLUSTER_LENGTH)

    class Meta:
        model = BackfillImage
        fields = ("run", "state")
