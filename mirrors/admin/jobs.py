"""Admin of jobs: look, retry, cancel."""

from __future__ import annotations

from collections.abc import Callable

from django.contrib import admin, messages
from django.db import models
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.contrib.filters.admin import RangeDateTimeFilter
from unfold.decorators import display

from mirrors import services
from mirrors.admin.base import ReadOnlyAdmin, TabularInline
from mirrors.models import JobProgress, MirrorAttempt, MirrorJob, MirrorRequest

SHOWN_ERRORS = 5
COLOURS = {"pending": "info", "running": "primary", "succeeded": "success", "failed": "danger", "cancelled": "warning"}


class _ReadOnlyInline(TabularInline[models.Model, MirrorJob]):
    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: MirrorJob | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False


class ProgressInline(_ReadOnlyInline):
    model = JobProgress


class AttemptInline(_ReadOnlyInline):
    model = MirrorAttempt
    fields = ["number", "worker", "started_at", "finished_at", "outcome", "error", "bytes_copied", "log"]


class RequestInline(_ReadOnlyInline):
    model = MirrorRequest
    fields = ["namespace", "service_account", "secret_names", "workload", "created_at"]


@admin.register(MirrorJob)
class MirrorJobAdmin(ReadOnlyAdmin[MirrorJob]):
    list_display = ["id", "mapping", "shown_status", "priority", "attempts", "error_class", "created_at", "finished_at"]
    list_filter = ["status", "priority", "trigger", "error_class", ("finished_at", RangeDateTimeFilter)]
    list_select_related = ["mapping"]
    search_fields = ["mapping__source", "mapping__target", "error_message"]
    ordering = ["-id"]
    inlines = [ProgressInline, AttemptInline, RequestInline]
    actions = ["retry", "cancel"]

    @display(description="status", ordering="status", label=COLOURS)
    def shown_status(self, job: MirrorJob) -> tuple[str, str]:
        return job.status, job.get_status_display()

    @admin.action(description="Retry: order the images of these jobs anew", permissions=["operate"])
    def retry(self, request: HttpRequest, jobs: QuerySet[MirrorJob]) -> None:
        self._each(request, jobs, services.retry_job, "ordered anew")

    @admin.action(description="Cancel these jobs", permissions=["operate"])
    def cancel(self, request: HttpRequest, jobs: QuerySet[MirrorJob]) -> None:
        self._each(request, jobs, services.cancel_job, "cancelled")

    def has_operate_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("mirrors.change_mirrorjob")

    def _each(self, request: HttpRequest, jobs: QuerySet[MirrorJob], act: Callable[..., MirrorJob], done: str) -> None:
        refusals: list[str] = []
        job_ids = list(jobs.values_list("id", flat=True))
        for job_id in job_ids:
            try:
                act(job_id=job_id, requested_by=request.user.get_username())
            except services.JobStateError as error:
                refusals.append(str(error))
        if ended := len(job_ids) - len(refusals):
            self.message_user(request, f"{ended} {done}.", messages.SUCCESS)
        for refusal in refusals[:SHOWN_ERRORS]:
            self.message_user(request, refusal, messages.WARNING)
        if len(refusals) > SHOWN_ERRORS:
            self.message_user(request, f"… and {len(refusals) - SHOWN_ERRORS} more.", messages.WARNING)


@admin.register(MirrorAttempt)
class MirrorAttemptAdmin(ReadOnlyAdmin[MirrorAttempt]):
    list_display = ["id", "job", "number", "worker", "outcome", "error_class", "started_at", "finished_at"]
    list_filter = ["outcome", "error_class"]
    list_select_related = ["job"]
    search_fields = ["worker", "error", "job__mapping__source"]
    ordering = ["-id"]


@admin.register(MirrorRequest)
class MirrorRequestAdmin(ReadOnlyAdmin[MirrorRequest]):
    list_display = ["id", "job", "namespace", "service_account", "workload", "created_at"]
    list_select_related = ["job"]
    search_fields = ["namespace", "service_account", "workload", "job__mapping__source"]
    ordering = ["-id"]


@admin.register(JobProgress)
class JobProgressAdmin(ReadOnlyAdmin[JobProgress]):
    list_display = ["job", "bytes_total", "bytes_copied", "bytes_mounted", "bytes_skipped", "updated_at"]
    search_fields = ["job__mapping__source"]
    ordering = ["-job"]
