"""Filters that several lists share: by namespace, and by time ranges such as ``created_after`` and
``created_before``."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from django.db import connections
from django.db.models import QuerySet
from django_filters.rest_framework import CharFilter, IsoDateTimeFilter  # type: ignore[import-untyped]

from mirrors.selectors.queries.known_clusters import in_namespace
from mirrors.vocabulary.clusters import CLUSTER_NAMESPACE_LENGTH

_STEP: Final = timedelta(microseconds=1)
"""The resolution of the columns."""

_EARLIEST: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST: Final = datetime(9999, 1, 1, tzinfo=UTC)
"""Limits of the times in filters. Times outside of them cannot be converted between time zones; no row has one."""


class TimeBoundFilter(IsoDateTimeFilter):  # type: ignore[misc]
    """A filter by one end of a time range: rows at or after the time, or before it."""

    def __init__(self, *, field_name: str, is_start: bool) -> None:
        label = "At or after this time (ISO 8601)." if is_start else "Before this time (ISO 8601)."
        super().__init__(field_name=field_name, label=label)
        self._is_start = is_start

    def filter(self, rows: QuerySet[Any], value: datetime | None) -> QuerySet[Any]:
        if value is None:
            return rows
        # Converted to UTC, because Postgres refuses offsets of 16 hours and more, which ISO 8601 allows.
        value = min(max(value, _EARLIEST), _LATEST).astimezone(UTC)
        if connections[rows.db].vendor == "sqlite" and value.microsecond % 1_000 == 0:
            # SQLite compares times as text, and its clock writes three digits: 12.345 sorts before 12.345000.
            return rows.filter(**{f"{self.field_name}__{'gte' if self._is_start else 'lte'}": value - _STEP})
        return rows.filter(**{f"{self.field_name}__{'gte' if self._is_start else 'lt'}": value})


class ClusterNamespaceFilter(CharFilter):  # type: ignore[misc]
    """A filter by namespace, in all clusters or in one."""

    def __init__(self) -> None:
        super().__init__(
            label="Namespace, or CLUSTER/NAMESPACE for a namespace of one cluster.", max_length=CLUSTER_NAMESPACE_LENGTH
        )

    def filter(self, rows: QuerySet[Any], value: str) -> QuerySet[Any]:
        return rows.filter(in_namespace(value)) if value else rows


def time_range(field: str) -> tuple[TimeBoundFilter, TimeBoundFilter]:
    """Return both filters of a column's time range: ``created_after, created_before = time_range("created_at")``.

    On large tables, use this only for columns that an index serves.
    """
    return TimeBoundFilter(field_name=field, is_start=True), TimeBoundFilter(field_name=field, is_start=False)
