"""Admin of counted decisions, with the sum that the dashboard shows."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import DropdownFilter

from mirrors.admin.tools.base import SummedAdmin
from mirrors.admin.tools.list_filters.clusters import ClusterListFilter, namespace_column
from mirrors.admin.tools.list_filters.namespace_filter import OwnNamespaceFilter
from mirrors.admin.tools.list_filters.recent_filter import RecentDecisions, RecentFilters, RecentReasons
from mirrors.admin.tools.list_filters.time_filter import TimeRangeFilter
from mirrors.admin.tools.lists.csv_export import csv_column
from mirrors.admin.tools.row_fields import NOTHING
from mirrors.models import DecisionCount
from mirrors.selectors.images.admitted import OF_ADMITTED
from mirrors.templatetags.humanise import hour_from

DECISION_CHOICES = {
    "admitted": ("Images counted in coverage", "counted"),
    "mirrored": ("Of these: run from the mirror", "mirrored"),
    "first-seen": ("First seen: the first pod of an image", "first_seen"),
    "excluded": ("Excluded by a filter or an opt-out", "excluded"),
}


class CoverageFilter(DropdownFilter):
    """The images that each number of the dashboard counts."""

    title = parameter_name = "coverage"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin[Any]) -> list[tuple[str, str]]:
        return [(key, text) for key, (text, _) in DECISION_CHOICES.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[DecisionCount]) -> QuerySet[DecisionCount]:
        choice = DECISION_CHOICES.get(self.value() or "")
        return queryset.filter(OF_ADMITTED[choice[1]]) if choice else queryset


@admin.register(DecisionCount)
class DecisionCountAdmin(SummedAdmin[DecisionCount]):
    list_display = [
        "at",
        "shown_namespace",
        "source_host",
        "decision",
        "reason",
        "filter",
        "shown_first_seen",
        "images",
    ]
    empty_message = "Appear after pods are admitted: register the webhook with your cluster and create a pod."
    list_filter = [
        CoverageFilter,
        RecentDecisions,
        RecentReasons,
        RecentFilters,
        ("hour", TimeRangeFilter),
        OwnNamespaceFilter,
        ClusterListFilter,
    ]
    search_fields = ["namespace", "source_host"]
    searches_by_keys = True
    row_names = ("hourly count", "hourly counts")
    ordering = ["-id"]

    sortable_by = ("at",)

    shown_namespace = namespace_column

    @admin.display(description="hour", ordering="hour")
    def at(self, row: DecisionCount) -> SafeString:
        """Return the hour as a range, because a relative time would look like the age of the decisions."""
        return hour_from(row.hour)

    @csv_column("first seen", lambda row: row.first_seen)
    @admin.display(description="first seen")
    def shown_first_seen(self, row: DecisionCount) -> str:
        """Return whether these images were in their first pod. The same reason has a row for first pods, and one for
        others."""
        return "yes" if row.first_seen else NOTHING

    list_before_template = "admin/mirrors/decisions_sum.html"
    summed_field, summed_time_field = "images", "hour"
