"""Admin of processes, with the state that they last reported."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import DropdownFilter

from mirrors.admin.tools.base import ReadOnlyAdmin
from mirrors.admin.tools.list_filters.clusters import ClusterListFilter
from mirrors.admin.tools.lists.columns import time_column
from mirrors.admin.tools.lists.list_rendering import state_label
from mirrors.models import (
    Instance,
)
from mirrors.selectors.overview.current_state import SEEN_WITHIN
from mirrors.selectors.queries.search_fields import SEARCH_FIELDS


class ReportsFilter(DropdownFilter):
    """Whether a process is running."""

    title, parameter_name = "state", "reports"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin[Any]) -> list[tuple[str, str]]:
        return [("yes", "Running"), ("no", "Stopped")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Instance]) -> QuerySet[Instance]:
        now, reports = timezone.now(), Q(pk=None)
        for role, within in SEEN_WITHIN.items():
            reports |= Q(role=role, seen_at__gte=now - within)
        return queryset.filter({"yes": reports, "no": ~reports}.get(self.value() or "", Q()))


def is_running(row: Instance) -> bool:
    """Return whether the last report of the process is recent."""
    return timezone.now() - row.seen_at <= SEEN_WITHIN[row.role]


@admin.register(Instance)
class InstanceAdmin(ReadOnlyAdmin[Instance]):
    list_display = ["role", "cluster", "name", "state", "target", "notes", "started", "seen"]
    sortable_by = None  # few rows
    empty_message = "Appear after a webhook or worker starts: manage.py up runs both on one machine."
    list_filter = [ReportsFilter, "role", ClusterListFilter]
    search_fields = SEARCH_FIELDS[Instance]
    ordering = ["role", "cluster", "name"]

    started = time_column("started_at")
    seen = time_column("seen_at", "last report")

    fields = ["role", "cluster", "name", "state", "target", "notes", "started", "seen"]

    @admin.display(description="state")
    def state(self, row: Instance) -> SafeString:
        return state_label("running", "success") if is_running(row) else state_label("stopped", "danger")

    @admin.display(description="target")
    def target(self, row: Instance) -> str:
        return str(row.facts.get("target") or "–")

    @admin.display(description="notes")
    def notes(self, row: Instance) -> str:
        if not is_running(row):
            # The last report of a stopped process is outdated.
            return "–"
        facts = row.facts
        parts = [
            "dry run" if facts.get("dry_run") else "",
            "switched off" if facts.get("switched_off") else "",
            "the configuration file has an error and is not applied" if facts.get("problem") else "",
            f"certificate expires {facts['certificate_expires_at'][:10]}"
            if facts.get("certificate_expires_at")
            else "",
            str(facts.get("state") or ""),
            f"{facts['processes']} processes" if facts.get("processes") else "",
        ]
        return ", ".join(filter(None, parts)) or "–"
