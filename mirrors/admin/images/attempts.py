"""Admin of the attempts of a job, the requests that it serves, and the figures of its copy."""

from __future__ import annotations

from django.contrib import admin

from mirrors.admin.tools.base import ReadOnlyAdmin, SummedAdmin
from mirrors.admin.tools.list_filters.clusters import namespace_column
from mirrors.admin.tools.list_filters.time_filter import TimeRangeFilter
from mirrors.admin.tools.lists.columns import error_type_column, time_column
from mirrors.models import JobProgress, MirrorAttempt, MirrorRequest
from mirrors.templatetags.humanise import size


@admin.register(MirrorAttempt)
class MirrorAttemptAdmin(SummedAdmin[MirrorAttempt]):
    list_display = ["id", "job", "number", "worker", "outcome", "error_type", "copied", "started", "finished"]
    empty_message = "Appear after a worker starts a job."
    # To search for failures and their reasons, use the list of jobs, which has indexes for it.
    list_filter = ["outcome", ("finished_at", TimeRangeFilter)]
    list_before_template = "admin/mirrors/attempts_sum.html"
    summed_field, summed_time_field = "bytes_copied", "finished_at"
    list_select_related = ["job"]
    search_fields = ["job__mapping__source"]
    search_help_text = "Search by image or job number"
    ordering = ["-id"]

    error_type = error_type_column

    @admin.display(description="copied", ordering="bytes_copied")
    def copied(self, row: MirrorAttempt) -> str:
        return size(row.bytes_copied)

    started = time_column("started_at")
    finished = time_column("finished_at")


@admin.register(MirrorRequest)
class MirrorRequestAdmin(ReadOnlyAdmin[MirrorRequest]):
    list_display = ["id", "job", "shown_namespace", "service_account", "workload", "created"]
    empty_message = "Appear after a pod requests an image that is not mirrored yet."
    list_select_related = ["job"]
    search_fields = ["job__mapping__source"]
    ordering = ["-id"]

    created = time_column("created_at", "requested")
    shown_namespace = namespace_column


@admin.register(JobProgress)
class JobProgressAdmin(ReadOnlyAdmin[JobProgress]):
    list_display = ["job", "bytes_total", "bytes_copied", "bytes_mounted", "bytes_skipped", "updated"]
    search_fields = ["job__mapping__source"]
    ordering = ["-job"]

    updated = time_column("updated_at")
