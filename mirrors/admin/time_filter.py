"""A range of time that lists can be narrowed to."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from unfold.contrib.filters.admin import RangeDateTimeFilter


class TimeRangeFilter(RangeDateTimeFilter):
    """unfold's, with times in the server's zone, and a date alone counted from its first second to its last."""

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        since, until = self._moment("from", "00:00:00"), self._moment("to", "23:59:59")
        if since is not None:
            queryset = queryset.filter(**{f"{self.parameter_name}__gte": since})
        return queryset.filter(**{f"{self.parameter_name}__lte": until}) if until is not None else queryset

    def _moment(self, end: str, default: str) -> datetime | None:
        date = self.used_parameters.get(f"{self.parameter_name}_{end}_0") or ""
        time = self.used_parameters.get(f"{self.parameter_name}_{end}_1") or default
        try:
            found = parse_datetime(f"{date} {time}")
        except ValueError:
            return None
        return timezone.make_aware(found) if found is not None and timezone.is_naive(found) else found
