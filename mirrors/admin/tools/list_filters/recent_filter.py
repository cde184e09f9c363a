"""List filters that offer the values of the last days."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta
from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from unfold.contrib.filters.admin import DropdownFilter

from mirrors.templatetags.humanise import past
from mirrors.vocabulary.reasons import Reason


class RecentValues(DropdownFilter):
    """A filter that offers the values of the last ``days`` days, because reading all rows for their values is too slow.
    A link can also have a value that is ``known_values``, or that an older row has."""

    title = parameter_name = ""
    time_field = "hour"
    days = 7
    known_values: ClassVar[Collection[str]] = ()

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin[Any]) -> list[tuple[str, str]]:
        rows = model_admin.get_queryset(request).order_by()
        recent = rows.filter(**{f"{self.time_field}__gte": timezone.now() - timedelta(days=self.days)})
        values = set(recent.values_list(self.parameter_name, flat=True).distinct()) - {""}
        chosen = self.value()
        if chosen and chosen not in values and (chosen in self.known_values or self._with_value(rows, chosen).exists()):
            values.add(chosen)
        return [(value, self.shown(value)) for value in sorted(values)]

    def shown(self, value: str) -> str:
        """Return a value as the list shows it."""
        return value

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        chosen = self.value()
        return self._with_value(queryset, chosen) if chosen else queryset

    def _with_value(self, rows: QuerySet[Any], value: str) -> QuerySet[Any]:
        return rows.filter(**{self.parameter_name: value})


class RecentDecisions(RecentValues):
    title = parameter_name = "decision"


class RecentReasons(RecentValues):
    title = parameter_name = "reason"
    known_values = frozenset(Reason)


class RecentFilters(RecentValues):
    title = parameter_name = "filter"


class RecentActions(RecentValues):
    title = parameter_name = "action"
    time_field, days = "created_at", 90

    def shown(self, value: str) -> str:
        return past(value)
