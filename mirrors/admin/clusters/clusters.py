"""Admin of clusters and their nodes, with the state that their watchers report."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.safestring import SafeString
from unfold.decorators import display

from mirrors.admin.clusters import NEEDS_WATCHER
from mirrors.admin.tools.base import ReadOnlyAdmin
from mirrors.admin.tools.list_filters.clusters import ClusterListFilter
from mirrors.admin.tools.lists.columns import time_column
from mirrors.admin.tools.lists.list_rendering import state_label
from mirrors.admin.tools.row_fields import NOTHING
from mirrors.models import Cluster, ClusterNode
from mirrors.selectors.queries.search_fields import SEARCH_FIELDS


class NameFilter(ClusterListFilter):
    """The row of one cluster, selected by the same parameter as in other lists."""

    field = "name"


@admin.register(Cluster)
class ClusterAdmin(ReadOnlyAdmin[Cluster]):
    list_display = ["name", "version", "pods", "nodes", "shown_state", "listed", "seen", "shown_problem"]
    empty_message = NEEDS_WATCHER
    list_before_template = "admin/mirrors/stale_hint.html"
    list_filter = [NameFilter]
    search_fields = SEARCH_FIELDS[Cluster]
    ordering = ["name"]

    omitted_fields = ("scope_problem",)

    listed = time_column("listed_at", "all objects listed")
    seen = time_column("seen_at", "last report")

    def get_fields(self, request: HttpRequest, obj: Cluster | None = None) -> Any:
        return [*super().get_fields(request, obj), "shown_scope_problem"]

    @display(description="state")
    def shown_state(self, row: Cluster) -> SafeString:
        if row.is_stale:
            return state_label("stale", "danger")
        return state_label("watched", "success") if row.listed_at else state_label("listing", "info")

    @display(description="problem")
    def shown_problem(self, row: Cluster) -> str:
        return row.problem or NOTHING

    @display(description="webhook scope")
    def shown_scope_problem(self, row: Cluster) -> str:
        """Return "known" if the cluster's webhook configuration shows which pods the API server sends to the webhook;
        otherwise the problem."""
        return row.scope_problem or "known"


@admin.register(ClusterNode)
class ClusterNodeAdmin(ReadOnlyAdmin[ClusterNode]):
    list_display = ["name", "cluster", "platform", "ready", "pulled"]
    list_filter = ["ready", ClusterListFilter]
    empty_message = NEEDS_WATCHER
    list_before_template = "admin/mirrors/stale_hint.html"
    search_fields = SEARCH_FIELDS[ClusterNode]
    ordering = ["-id"]

    pulled = time_column("pulled_at")
