"""Admin of jobs: live progress, attempts with readable errors, and actions."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path, reverse
from django.urls.resolvers import URLPattern
from django.utils import timezone
from django.views.decorators.http import require_POST

from mirrors import services
from mirrors.admin.images.job_filters import FailedAtFilter, LastOfImageFilter
from mirrors.admin.images.retrying import retry_all_query, retry_failed_view
from mirrors.admin.images.waiting import next_attempt, starts_at
from mirrors.admin.tools.bulk_actions import (
    ActionResult,
    BulkAction,
    confirm_or_run,
    requested_jobs_result,
    show_result,
)
from mirrors.admin.tools.detail import DetailAdmin
from mirrors.admin.tools.list_filters.clusters import ClusterListFilter
from mirrors.admin.tools.list_filters.namespace_filter import OwnNamespaceFilter
from mirrors.admin.tools.list_filters.time_filter import TimeRangeFilter
from mirrors.admin.tools.lists.columns import error_type_column, shortened, status, time_column
from mirrors.admin.tools.lists.csv_export import csv_column
from mirrors.models import JobStatus, MirrorAttempt, MirrorJob, MirrorRequest, OperatorAction, Priority, Trigger
from mirrors.selectors.jobs import free_hosts
from mirrors.selectors.jobs.advice import next_step
from mirrors.selectors.jobs.job_progress import copy_progress
from mirrors.selectors.queries.search_fields import SEARCH_FIELDS
from mirrors.services.jobs.requested_copy import UNATTENDED
from mirrors.templatetags.humanise import span

UNATTENDED_REQUESTERS: Final = {Trigger.REFRESH.value: "a refresh", Trigger.BACKFILL.value: "a backfill"}
"""The origin of copies that neither a pod nor a user requested, by the trigger of the job."""


def _retry(ids: Collection[int], actor: str) -> ActionResult:
    result = services.retry_jobs(job_ids=ids, requested_by=actor)
    page = (
        reverse("admin:mirrors_mirrorjob_change", args=list(result.created_ids)) if len(result.created_ids) == 1 else ""
    )
    return replace(requested_jobs_result(result, "queued again."), page=page)


def _cancel(ids: Collection[int], actor: str) -> ActionResult:
    result = services.cancel_jobs(job_ids=ids, requested_by=actor)
    cancelled = sum(job.status == JobStatus.CANCELLED for job in result.jobs)
    requested = len(result.jobs) - cancelled
    messages = [f"{cancelled:,} cancelled."] * bool(cancelled) + [f"{requested:,} running: cancel requested."] * bool(
        requested
    )
    return ActionResult(" ".join(messages), result.refusals)


def _duration(job: MirrorJob) -> float | None:
    """Return the seconds since the start of the first attempt, with the waits between attempts; None before the first
    attempt."""
    started_at: datetime | None = getattr(job, "started_at", None)
    if started_at is None or job.status == JobStatus.PENDING:
        return None
    return max(0.0, ((job.finished_at or timezone.now()) - started_at).total_seconds())


def _requester(job: MirrorJob) -> str:
    """Return the requester of a request without a namespace. A user who requested an image whose job was already active
    is only "a user", because the request does not record the name."""
    if job.trigger not in UNATTENDED:
        return job.requested_by
    return UNATTENDED_REQUESTERS.get(job.trigger, "a user")


JOB_ACTIONS = {
    "retry": BulkAction(
        "retry",
        "Retry",
        "The image of each of these jobs is queued again as a new job. The old jobs stay in the list.",
        _retry,
    ),
    "cancel": BulkAction(
        "cancel",
        "Cancel",
        "Queued jobs are cancelled immediately. Running jobs stop within about ten seconds, unless their copy "
        "finishes first. Layers that are already at the target stay there, and a later copy uses them. Pods can "
        "request the next copy of the image no earlier than 10 minutes after the cancellation; Retry starts one "
        "immediately. To prevent an image from being mirrored, pause its mapping.",
        _cancel,
        is_dangerous=True,
    ),
}


@admin.register(MirrorJob)
class MirrorJobAdmin(DetailAdmin[MirrorJob]):
    list_display = [
        "id",
        "image",
        "status_label",
        "reason",
        "attempts",
        "created",
        "next_attempt",
        "finished",
        "duration",
        "priority",
    ]
    sortable_by = ("id", "created", "finished")
    empty_message = "Appear after a copy is requested: create a pod, or run manage.py mirror nginx:1.27."
    list_filter = [
        "status",
        "error_class",
        FailedAtFilter,
        LastOfImageFilter,
        "priority",
        "trigger",
        OwnNamespaceFilter,
        ("finished_at", TimeRangeFilter),
        ClusterListFilter,
    ]
    search_fields = SEARCH_FIELDS[MirrorJob]
    search_help_text = "Search by image or job number"
    ordering = ["-id"]
    actions = ["retry", "cancel"]
    change_list_template = "admin/mirrors/jobs.html"
    detail_template = "admin/mirrors/job.html"
    live_template = "admin/mirrors/job_live.html"

    status_label = status
    created = time_column("created_at", "queued")
    finished = time_column("finished_at", "finished")

    def row_title(self, row: Any) -> str:
        return f"Job {row.pk}: {row.mapping.source}"

    @csv_column("image", lambda job: job.mapping.source)
    @admin.display(description="image", ordering="mapping__source")
    def image(self, job: MirrorJob) -> str:
        return shortened(job.mapping.source)

    reason = error_type_column

    @csv_column("next attempt", starts_at)
    @admin.display(description="next attempt")
    def next_attempt(self, job: MirrorJob) -> str:
        return next_attempt(job, is_short=True) or "–"

    @csv_column("duration (seconds)", _duration)
    @admin.display(description="duration")
    def duration(self, job: MirrorJob) -> str:
        seconds = _duration(job)
        return "–" if seconds is None else span(seconds)

    def get_queryset(self, request: HttpRequest) -> QuerySet[MirrorJob]:
        first = MirrorAttempt.objects.filter(job=OuterRef("pk")).order_by("number").values("started_at")[:1]
        rows = super().get_queryset(request).select_related("mapping")
        return rows.annotate(started_at=Subquery(first), **free_hosts.limits())

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        retry_all = retry_all_query(request.GET) if self.has_operate_permission(request) else ""
        return super().changelist_view(request, {**(extra_context or {}), "retry_all": retry_all})

    def live(self, request: HttpRequest, row: MirrorJob) -> dict[str, Any]:
        return {
            "job": row,
            "duration": _duration(row),
            "next_attempt": next_attempt(row),
            "is_finished": row.status in MirrorJob.TERMINAL,
            "progress": copy_progress(row),
            "advice": next_step(row),
            "attempts": MirrorAttempt.objects.filter(job=row).order_by("-number")[:20],
            "actions": [JOB_ACTIONS["retry" if row.status in MirrorJob.TERMINAL else "cancel"]],
            "priorities": Priority.choices if row.status == "pending" else [],
        }

    def detail(self, request: HttpRequest, row: MirrorJob) -> dict[str, Any]:
        return {
            "requester": _requester(row),
            "requests": MirrorRequest.objects.filter(job=row).order_by("id")[:50],
            "retries": MirrorJob.objects.filter(mapping=row.mapping_id, retry_of=row).order_by("id")[:5],
            "history": OperatorAction.objects.filter(job=row).order_by("-id")[:10],
        }

    def get_urls(self) -> list[URLPattern]:
        guard: Callable[..., Any] = self.admin_site.admin_view
        job_urls = [
            path("<int:key>/priority/", guard(require_POST(self.priority_view)), name="mirrors_mirrorjob_priority"),
            path("retry-failed/", guard(self.retry_failed_view), name="mirrors_mirrorjob_retry_failed"),
        ]
        return [*job_urls, *super().get_urls()]

    def priority_view(self, request: HttpRequest, key: int) -> HttpResponse:
        if not self.has_operate_permission(request):
            raise PermissionDenied
        self._row(request, str(key))
        try:
            priority = Priority(int(request.POST.get("priority", "")))
            services.set_priority(job_id=key, priority=priority, requested_by=request.user.get_username())
            show_result(request, ActionResult(f"The priority is now {priority.label.lower()}."))
        except (ValueError, services.ActionRefusedError) as error:
            show_result(request, ActionResult("", [str(error)]))
        return HttpResponseRedirect(reverse("admin:mirrors_mirrorjob_change", args=[key]))

    def retry_failed_view(self, request: HttpRequest) -> HttpResponse:
        if not self.has_operate_permission(request):
            raise PermissionDenied
        return retry_failed_view(request, self)

    @admin.action(description="Retry …", permissions=["operate"])
    def retry(self, request: HttpRequest, jobs: QuerySet[MirrorJob]) -> HttpResponse | None:
        return confirm_or_run(JOB_ACTIONS["retry"], request, jobs, self)

    @admin.action(description="Cancel …", permissions=["operate"])
    def cancel(self, request: HttpRequest, jobs: QuerySet[MirrorJob]) -> HttpResponse | None:
        return confirm_or_run(JOB_ACTIONS["cancel"], request, jobs, self)
