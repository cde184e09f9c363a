"""Clusters and their nodes, as their watchers see them."""

from __future__ import annotations

from django.contrib import admin

from mirrors.admin.clusters import NEEDS_WATCHER
from mirrors.admin.tools.base import ReadOnlyAdmin
from mirrors.admin.tools.clusters import ClusterFilter
from mirrors.admin.tools.columns import moment
from mirrors.models import Cluster, ClusterNode


class NameFilter(ClusterFilter):
    """The row of one cluster, by the same parameter as other lists."""

    field = "name"


@admin.register(Cluster)
class ClusterAdmin(ReadOnlyAdmin[Cluster]):
    list_display = ["name", "version", "pods", "nodes", "listed", "seen", "problem"]
    empty_words = NEEDS_WATCHER
    list_filter = [NameFilter]
    search_fields = ["name"]
    ordering = ["name"]

    listed = moment("listed_at")
    seen = moment("seen_at")


@admin.register(ClusterNode)
class ClusterNodeAdmin(ReadOnlyAdmin[ClusterNode]):
    list_display = ["name", "cluster", "platform", "ready", "pulled"]
    list_filter = ["ready", ClusterFilter]
    empty_words = NEEDS_WATCHER
    search_fields = ["name", "cluster"]
    ordering = ["-id"]

    pulled = moment("pulled_at")
