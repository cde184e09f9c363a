"""Admin of images that run in clusters, by workload."""

from __future__ import annotations

from typing import Any, Final

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import DropdownFilter

from mirrors.admin.clusters import NEEDS_WATCHER
from mirrors.admin.tools.base import ReadOnlyAdmin
from mirrors.admin.tools.list_filters.clusters import ClusterListFilter, namespace_column
from mirrors.admin.tools.list_filters.namespace_filter import OwnNamespaceFilter
from mirrors.admin.tools.lists.columns import breakable, time_column
from mirrors.admin.tools.lists.list_rendering import label
from mirrors.models import RunningImage, RunningState
from mirrors.selectors.clusters.running_images import only_mirrored, running_images
from mirrors.selectors.queries.search_fields import SEARCH_FIELDS

RUNNING_COLOURS: Final = {"running": "success", "starting": "info", "failing": "danger"}


class StateFilter(DropdownFilter):
    """The state of running images. Without a choice, images that no longer run are omitted."""

    title, parameter_name = "state", "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(value, str(text)) for value, text in RunningState.choices]

    def queryset(self, request: HttpRequest, rows: QuerySet[RunningImage]) -> QuerySet[RunningImage]:
        return rows.filter(state=self.value()) if self.value() else rows.exclude(state=RunningState.ENDED)


class MirroredFilter(DropdownFilter):
    title, parameter_name = "mirrored", "mirrored"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", "Mirrored"), ("no", "Not mirrored")]

    def queryset(self, request: HttpRequest, rows: QuerySet[RunningImage]) -> QuerySet[RunningImage]:
        return only_mirrored(rows, mirrored=self.value() == "yes") if self.value() else rows


@admin.register(RunningImage)
class RunningImageAdmin(ReadOnlyAdmin[RunningImage]):
    list_display = [
        "shown_source",
        "shown_namespace",
        "shown_workload",
        "pods",
        "nodes",
        "shown_state",
        "mirrored",
        "changed",
    ]
    list_filter = [StateFilter, MirroredFilter, OwnNamespaceFilter, ClusterListFilter]
    empty_message = NEEDS_WATCHER
    list_before_template = "admin/mirrors/stale_hint.html"
    search_fields = SEARCH_FIELDS[RunningImage]
    searches_by_keys = True
    search_help_text = "Search by image, namespace or workload"
    ordering = ["-id"]
    sortable_by = ()  # only the default order has an index

    omitted_fields = ("workload_kind",)

    changed = time_column("last_seen_at", "last change")
    shown_namespace = namespace_column

    def get_queryset(self, request: HttpRequest) -> QuerySet[RunningImage]:
        return running_images(include_ended=True)

    @admin.display(description="image")
    def shown_source(self, row: RunningImage) -> SafeString:
        """Return the original image, and below it the image that runs if it is a different one."""
        if not row.source or row.source.endswith(row.image):
            return breakable(row.source or row.image)
        return format_html('{}<br><span class="text-xs">{}</span>', breakable(row.source), breakable(row.image))

    @admin.display(description="workload")
    def shown_workload(self, row: RunningImage) -> str:
        return f"{row.workload_kind} {row.workload}".strip() or "standalone pods"

    @admin.display(description="state")
    def shown_state(self, row: RunningImage) -> SafeString:
        return label(row.get_state_display(), RUNNING_COLOURS.get(row.state, ""))

    @admin.display(description="mirrored")
    def mirrored(self, row: RunningImage) -> SafeString:
        return label("yes", "success") if row.is_mirrored else label("no", "warning")  # type: ignore[attr-defined]
