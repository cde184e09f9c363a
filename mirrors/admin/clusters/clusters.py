"""Clusters and their nodes, as their watchers see them."""

from __future__ import annotations

from typing import Final

from django.contrib import admin
from django.utils import timezone
from django.utils.safestring import SafeString
from unfold.decorators import display

from mirrors.admin.clusters import NEEDS_WATCHER
from mirrors.admin.tools.base import ReadOnlyAdmin
from mirrors.admin.tools.clusters import ClusterFilter
from mirrors.admin.tools.columns import moment
from mirrors.admin.tools.list_rendering import label
from mirrors.models import Cluster, ClusterNode
from mirrors.selectors.current_state import SEEN_WITHIN

SILENT: Final = (
    "Its watcher does not report, so what is known of this cluster is as old as the last report. Start the watcher "
    "(manage.py watch, part of up and of the chart), or read its log."
)


class NameFilter(ClusterFilter):
    """The row of one cluster, by the same parameter as other lists."""

    field = "name"


@admin.register(Cluster)
class ClusterAdmin(ReadOnlyAdmin[Cluster]):
    list_display = ["name", "version", "pods", "nodes", "shown_state", "listed", "seen", "what_is_wrong"]
    empty_words = NEEDS_WATCHER
    list_filter = [NameFilter]
    search_fields = ["name"]
    ordering = ["name"]

    listed = moment("listed_at", "last list")
    seen = moment("seen_at", "last report")

    @display(description="watcher")
    def shown_state(self, row: Cluster) -> SafeString:
        if _is_silent(row):
            return label("silent", "danger")
        return label("watched", "success") if row.listed_at else label("listing", "info")

    @display(description="problem")
    def what_is_wrong(self, row: Cluster) -> str:
        return SILENT if _is_silent(row) else row.problem or "–"


def _is_silent(row: Cluster) -> bool:
    return timezone.now() - row.seen_at > SEEN_WITHIN["watcher"]


@admin.register(ClusterNode)
class ClusterNodeAdmin(ReadOnlyAdmin[ClusterNode]):
    list_display = ["name", "cluster", "platform", "ready", "pulled"]
    list_filter = ["ready", ClusterFilter]
    empty_words = NEEDS_WATCHER
    search_fields = ["name", "cluster"]
    ordering = ["-id"]

    pulled = moment("pulled_at")
