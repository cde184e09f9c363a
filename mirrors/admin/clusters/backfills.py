"""Admin of backfills: preview, start, pause, resume and cancel, with progress; and of the images of each."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, Final
from urllib.parse import urlencode

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import OuterRef, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path, reverse
from django.urls.resolvers import URLPattern
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views.decorators.http import require_POST
from unfold.contrib.filters.admin import FieldTextFilter

from mirrors import services
from mirrors.admin.tools.base import ReadOnlyAdmin
from mirrors.admin.tools.bulk_actions import ActionResult, BulkAction, confirm_or_run, show_result
from mirrors.admin.tools.detail import DetailAdmin
from mirrors.admin.tools.list_filters.clusters import ClusterListFilter
from mirrors.admin.tools.lists.columns import breakable, time_column
from mirrors.admin.tools.lists.csv_export import csv_column
from mirrors.admin.tools.lists.list_rendering import label
from mirrors.models import BackfillImage, BackfillImageState, BackfillRun, BackfillState, Cluster
from mirrors.selectors.clusters.backfill import backfill_progress, of_clusters, skipped_by_reason, why
from mirrors.selectors.queries.search_fields import SEARCH_FIELDS
from mirrors.selectors.queries.subqueries import rows_counted
from mirrors.templatetags.humanise import size

COLOURS: Final = {
    "preview": "info",
    "running": "primary",
    "paused": "warning",
    "cancelled": "warning",
    "finished": "success",
    "queued": "info",
    "mirrored": "success",
    "failed": "danger",
    "skipped": "warning",
}


def _apply_to_each(change: Callable[..., BackfillRun], suffix: str) -> Callable[[Collection[int], str], ActionResult]:
    """Return an action that changes each of several runs separately."""

    def run(ids: Collection[int], actor: str) -> ActionResult:
        changed, refusals = 0, []
        for key in ids:
            try:
                change(run_id=key, requested_by=actor)
                changed += 1
            except services.ActionRefusedError as error:
                refusals.append(str(error))
        return ActionResult(f"{changed} {suffix}" if changed else "", refusals)

    return run


BACKFILL_ACTIONS: Final = {
    "start": BulkAction(
        "start",
        "Start",
        "The images of this preview are mirrored, about 50 queued at a time: first images that pods wait for, then "
        "the most used. Copies that pods request have priority.",
        _apply_to_each(services.start_run, "started."),
    ),
    "pause": BulkAction(
        "pause",
        "Pause",
        "No more copies are requested. Jobs that are already queued still run. You can resume the backfill later.",
        _apply_to_each(services.pause_run, "paused."),
    ),
    "resume": BulkAction(
        "resume", "Resume", "The remaining images are mirrored.", _apply_to_each(services.resume_run, "resumed.")
    ),
    "cancel": BulkAction(
        "cancel",
        "Cancel",
        "The remaining images are not mirrored, and queued jobs are cancelled, except those whose image pods have "
        "requested since. Images that are already mirrored stay at the target. You can preview a new backfill at any "
        "time.",
        _apply_to_each(services.cancel_run, "cancelled."),
        is_dangerous=True,
    ),
}
ACTIONS_BY_STATE: Final = {
    BackfillState.PREVIEW: ("start", "cancel"),
    BackfillState.RUNNING: ("pause", "cancel"),
    BackfillState.PAUSED: ("resume", "cancel"),
}


@admin.register(BackfillRun)
class BackfillRunAdmin(DetailAdmin[BackfillRun]):
    list_display = [
        "id",
        "cluster",
        "state_label",
        "images",
        "excluded",
        "failed",
        "size",
        "requester",
        "created",
        "finished",
    ]
    list_filter = ["state", ClusterListFilter]
    search_fields = SEARCH_FIELDS[BackfillRun]
    ordering = ["-id"]
    actions = ["start", "pause", "resume", "cancel"]
    empty_message = "Appear after a preview is requested, for a cluster that has images to mirror."
    change_list_template = "admin/mirrors/backfills.html"
    detail_template = "admin/mirrors/backfill.html"
    live_template = "admin/mirrors/backfill_live.html"

    created = time_column("created_at")
    finished = time_column("finished_at")

    def row_title(self, row: Any) -> str:
        return f"Backfill {row.pk} of {row.cluster}"

    @admin.display(description="state", ordering="state")
    def state_label(self, run: BackfillRun) -> SafeString:
        has_failed = run.state == BackfillState.FINISHED and getattr(run, "failed_images", 0) > 0
        return label(run.get_state_display(), "warning" if has_failed else COLOURS.get(run.state, ""))

    @admin.display(description="failed")
    def failed(self, run: BackfillRun) -> SafeString | str:
        """Return the number of images of the run that could not be mirrored, with a link to them."""
        number: int = getattr(run, "failed_images", 0)
        if not number:
            return "0"
        query = urlencode({"run__id__exact": run.pk, "state__exact": BackfillImageState.FAILED.value})
        return format_html('<a href="{}?{}">{}</a>', reverse("admin:mirrors_backfillimage_changelist"), query, number)

    def get_queryset(self, request: HttpRequest) -> QuerySet[BackfillRun]:
        failed = BackfillImage.objects.filter(run=OuterRef("pk"), state=BackfillImageState.FAILED)
        return super().get_queryset(request).annotate(failed_images=rows_counted(failed))

    @admin.display(description="requested by")
    def requester(self, run: BackfillRun) -> str:
        return run.requested_by or "the configuration"

    @csv_column("size", lambda run: run.bytes_total if run.previewed_at else None)
    @admin.display(description="size")
    def size(self, run: BackfillRun) -> str:
        return size(run.bytes_total) if run.previewed_at else "–"

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        clusters = of_clusters()
        context = {
            "clusters": clusters,
            "is_watched": clusters or Cluster.objects.filter(listed_at__isnull=False).exists(),
            "may_operate": self.has_operate_permission(request),
        }
        return super().changelist_view(request, {**context, **(extra_context or {})})

    def live(self, request: HttpRequest, row: BackfillRun) -> dict[str, Any]:
        actions = [BACKFILL_ACTIONS[name] for name in ACTIONS_BY_STATE.get(BackfillState(row.state), ())]
        is_previewing = row.state == BackfillState.PREVIEW and row.previewed_at is None
        return {
            "progress": backfill_progress(row),
            "skipped": skipped_by_reason(row),
            "is_looking": is_previewing,
            "is_finished": not row.is_open,
            "actions": [action for action in actions if not (is_previewing and action.name == "start")],
            "images_link": f"{reverse('admin:mirrors_backfillimage_changelist')}?run__id__exact={row.pk}",
        }

    def get_urls(self) -> list[URLPattern]:
        guarded = self.admin_site.admin_view(require_POST(self.preview_view))
        return [path("preview/", guarded, name="mirrors_backfillrun_preview"), *super().get_urls()]

    def preview_view(self, request: HttpRequest) -> HttpResponse:
        """Request a preview of the posted cluster."""
        if not self.has_operate_permission(request):
            raise PermissionDenied
        cluster = request.POST.get("cluster", "")[:63]
        try:
            run = services.request_preview(cluster=cluster, requested_by=request.user.get_username())
        except services.ActionRefusedError as error:
            show_result(request, ActionResult("", [str(error)]))
            return HttpResponseRedirect(reverse("admin:mirrors_backfillrun_changelist"))
        messages.success(
            request, "The watcher is computing the preview. Nothing is copied until you start the backfill."
        )
        return HttpResponseRedirect(reverse("admin:mirrors_backfillrun_change", args=[run.pk]))

    @admin.action(description="Start …", permissions=["operate"])
    def start(self, request: HttpRequest, runs: QuerySet[BackfillRun]) -> HttpResponse | None:
        return confirm_or_run(BACKFILL_ACTIONS["start"], request, runs, self)

    @admin.action(description="Pause …", permissions=["operate"])
    def pause(self, request: HttpRequest, runs: QuerySet[BackfillRun]) -> HttpResponse | None:
        return confirm_or_run(BACKFILL_ACTIONS["pause"], request, runs, self)

    @admin.action(description="Resume …", permissions=["operate"])
    def resume(self, request: HttpRequest, runs: QuerySet[BackfillRun]) -> HttpResponse | None:
        return confirm_or_run(BACKFILL_ACTIONS["resume"], request, runs, self)

    @admin.action(description="Cancel …", permissions=["operate"])
    def cancel(self, request: HttpRequest, runs: QuerySet[BackfillRun]) -> HttpResponse | None:
        return confirm_or_run(BACKFILL_ACTIONS["cancel"], request, runs, self)


class RunClusterFilter(ClusterListFilter):
    """Images of the runs of one cluster."""

    field = "run__cluster"


@admin.register(BackfillImage)
class BackfillImageAdmin(ReadOnlyAdmin[BackfillImage]):
    list_display = ["rank", "image", "state_label", "why", "pods", "workloads", "awaited", "bytes", "job"]
    list_display_links = ["image"]
    list_filter = ["state", ("run__id", FieldTextFilter), RunClusterFilter]
    list_select_related = ["job"]
    search_fields = SEARCH_FIELDS[BackfillImage]
    ordering = ["-run", "rank"]
    sortable_by = ()
    empty_message = "Appear with a preview of a backfill."
    omitted_fields = ("source", "is_awaited", "details", "size_bytes")

    @admin.display(description="image")
    def image(self, row: BackfillImage) -> str:
        return breakable(row.source)

    @admin.display(description="state")
    def state_label(self, row: BackfillImage) -> SafeString:
        return label(row.get_state_display(), COLOURS.get(row.state, ""))

    @admin.display(description="reason")
    def why(self, row: BackfillImage) -> str:
        if not row.reason:
            return "–"
        return f"{why(row.reason)}: {row.details}" if row.details else why(row.reason)

    @admin.display(description="pods wait")
    def awaited(self, row: BackfillImage) -> str:
        return "yes" if row.is_awaited else "no"

    @csv_column("size", lambda row: row.size_bytes)
    @admin.display(description="size")
    def bytes(self, row: BackfillImage) -> str:
        return size(row.size_bytes)
