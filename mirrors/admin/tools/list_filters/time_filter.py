"""List filter for a time range."""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import RangeDateTimeFilter

from mirrors.templatetags.humanise import when

_TIME = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2}) (\d{1,2}):(\d{1,2})(?::(\d{1,2}))?", re.ASCII)


class TimeRangeFilter(RangeDateTimeFilter):
    """unfold's filter with times in UTC, which ``ranges.js`` converts from and to the viewer's time zone. A date
    without a time is the whole day. A list with an invalid time has no rows, and shows why."""

    def problem(self) -> str:
        """Return the error in the range; empty for a valid range."""
        try:
            self._range()
        except ValueError as error:
            return f"{str(self.title).capitalize()}: {error}"
        return ""

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        since, until = self._range()
        if since is not None:
            queryset = queryset.filter(**{f"{self.parameter_name}__gte": since})
        return queryset.filter(**{f"{self.parameter_name}__lte": until}) if until is not None else queryset

    def range_text(self) -> SafeString:
        """Return the range in words; empty for an invalid range."""
        try:
            ends = zip(("from", "to"), self._range(), strict=True)
        except ValueError:
            return SafeString("")
        return format_html_join(" ", "{} {}", [(name, when(at)) for name, at in ends if at is not None])

    def _range(self) -> tuple[datetime | None, datetime | None]:
        return self._parse_end("from", "00:00:00"), self._parse_end("to", "23:59:59")

    def _parse_end(self, end: str, default: str) -> datetime | None:
        parts = (self.used_parameters.get(f"{self.parameter_name}_{end}_{part}") for part in (0, 1))
        date, time = (str(text or "").strip() for text in parts)
        if not date and not time:
            return None
        match = _TIME.fullmatch(f"{date} {time or default}")
        with suppress(ValueError):
            if match:
                year, month, day, hour, minute, second = (int(part or 0) for part in match.groups())
                return datetime(year, month, day, hour, minute, second, tzinfo=UTC)
        value = " ".join(filter(None, (date, time)))
        raise ValueError(
            f"“{value}” is not a valid time. Enter a date like 2026-01-31, and optionally a time like 13:05."
        )
