"""List filters with the values of the last days."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from unfold.contrib.filters.admin import DropdownFilter


class RecentValues(DropdownFilter):
    """A filter with the values of the last days, because reading all rows for their values is too slow."""

    title = parameter_name = ""
    time_field = "hour"
    days = 7

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin[Any]) -> list[tuple[str, str]]:
        recent = {f"{self.time_field}__gte": timezone.now() - timedelta(days=self.days)}
        rows = model_admin.get_queryset(request).filter(**recent).order_by()
        chosen = request.GET.get(self.parameter_name, "")
        found = {chosen, *rows.values_list(self.parameter_name, flat=True).distinct()}
        return [(value, value) for value in sorted(found - {""})]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(**{self.parameter_name: self.value()}) if self.value() else queryset


class RecentDecisions(RecentValues):
    title = parameter_name = "decision"


class RecentReasons(RecentValues):
    title = parameter_name = "reason"


class RecentFilters(RecentValues):
    title = parameter_name = "filter"


class RecentActions(RecentValues):
    title = parameter_name = "action"
    time_field, days = "created_at", 90
