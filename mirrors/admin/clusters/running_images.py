"""Images that run in clusters, by workload."""

from __future__ import annotations

from django.contrib import admin

from mirrors.admin.tools.base import ReadOnlyAdmin
from mirrors.admin.tools.columns import moment
from mirrors.models import RunningImage


@admin.register(RunningImage)
class RunningImageAdmin(ReadOnlyAdmin[RunningImage]):
    list_display = ["source", "image", "namespace", "workload", "pods", "nodes", "state", "last_seen"]
    list_filter = ["state"]
    empty_words = "Appear when a watcher runs (manage.py watch, part of up and of the chart)."
    search_fields = ["source", "image", "namespace", "workload"]
    ordering = ["-id"]

    last_seen = moment("last_seen_at")
