"""A range of time that lists can be narrowed to."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from unfold.contrib.filters.admin import RangeDateTimeFilter


class TimeRangeFilter(RangeDateTimeFilter):
    """unfold's, with times in UTC, which ``ranges.js`` shows and takes in the viewer's zone; a date alone is counted
    from its first second to its last. What is no time gives no rows, and is told."""

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        try:
            since, until = self._moment("from", "00:00:00"), self._moment("to", "23:59:59")
        except ValueError as error:
            messages.error(request, f"{str(self.title).capitalize()}: {error}")
            return queryset.none()
        if since is not None:
            queryset = queryset.filter(**{f"{self.parameter_name}__gte": since})
        return queryset.filter(**{f"{self.parameter_name}__lte": until}) if until is not None else queryset

    def _moment(self, end: str, default: str) -> datetime | None:
        date, time = (str(self.used_parameters.get(f"{self.parameter_name}_{end}_{part}") or "") for part in (0, 1))
        if not date and not time:
            return None
        try:
            found = parse_datetime(f"{date} {time or default}")
        except ValueError:
            found = None
        if found is None:
            given = " ".join(filter(None, (date, time)))
            raise ValueError(f"“{given}” is no time. Write a date like 2026-01-31, and perhaps a time like 13:05.")
        return timezone.make_aware(found) if timezone.is_naive(found) else found
