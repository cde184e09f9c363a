"""Admin of counted decisions, with the sum that other pages show."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.contrib.filters.admin import DropdownFilter

from mirrors.admin.base import SummedAdmin
from mirrors.admin.columns import moment
from mirrors.admin.recent_filter import RecentDecisions, RecentFilters, RecentReasons
from mirrors.admin.time_filter import TimeRangeFilter
from mirrors.models import DecisionCount
from mirrors.selectors.statistics import MIRRORED, NOT_COUNTED


class CoverageFilter(DropdownFilter):
    """The images that the dashboard's coverage counts."""

    title = parameter_name = "coverage"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin[Any]) -> list[tuple[str, str]]:
        return [("admitted", "Admitted images that are to be mirrored"), ("mirrored", "Of these: run from the mirror")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[DecisionCount]) -> QuerySet[DecisionCount]:
        if self.value() not in ("admitted", "mirrored"):
            return queryset
        counted = queryset.exclude(reason__in=NOT_COUNTED)
        return counted.filter(MIRRORED) if self.value() == "mirrored" else counted


@admin.register(DecisionCount)
class DecisionCountAdmin(SummedAdmin[DecisionCount]):
    list_display = ["at", "namespace", "source_host", "decision", "reason", "filter", "images"]
    empty_words = "Appear after pods are admitted: register the webhook with your cluster and create a pod."
    list_filter = [CoverageFilter, RecentDecisions, RecentReasons, RecentFilters, ("hour", TimeRangeFilter)]
    search_fields = ["namespace", "source_host"]
    ordering = ["-id"]

    sortable_by = ("at",)

    at = moment("hour", "hour")

    list_before_template = "admin/mirrors/decisions_sum.html"
    summed, summed_within = "images", "hour"
