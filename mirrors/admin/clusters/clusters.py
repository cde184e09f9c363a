"""Clusters and their nodes, as their watchers see them."""

from __future__ import annotations

from django.contrib import admin
from django.utils.safestring import SafeString

from mirrors.admin.clusters import NEEDS_WATCHER
from mirrors.admin.tools.base import ReadOnlyAdmin
from mirrors.admin.tools.columns import moment
from mirrors.admin.tools.list_rendering import label
from mirrors.models import Cluster, ClusterNode


@admin.register(Cluster)
class ClusterAdmin(ReadOnlyAdmin[Cluster]):
    list_display = ["name", "version", "pods", "nodes", "listed", "shown_state", "seen", "problem"]
    empty_words = NEEDS_WATCHER
    list_before_template = "admin/mirrors/stale_hint.html"
    search_fields = ["name"]
    ordering = ["name"]

    listed = moment("listed_at")
    seen = moment("seen_at")

    @admin.display(description="state")
    def shown_state(self, row: Cluster) -> SafeString:
        return label("stale", "danger") if row.is_stale else label("watched", "success")


@admin.register(ClusterNode)
class ClusterNodeAdmin(ReadOnlyAdmin[ClusterNode]):
    list_display = ["name", "cluster", "platform", "ready", "pulled"]
    empty_words = NEEDS_WATCHER
    list_before_template = "admin/mirrors/stale_hint.html"
    search_fields = ["name", "cluster"]
    ordering = ["-id"]

    pulled = moment("pulled_at")
