"""Admin of mappings: where images are mirrored to, which workloads use them, and the actions on them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse
from django.utils.safestring import SafeString
from unfold.decorators import display

from mirrors import selectors, services
from mirrors.admin.images.mapping_filters import (
    AccessFilter,
    MappingStateFilter,
    NamespaceFilter,
    ReasonFilter,
    SeenFilter,
    SourceFilter,
    TargetFilter,
    UsedInClusterFilter,
)
from mirrors.admin.images.waiting import limit_text, next_attempt
from mirrors.admin.tools.bulk_actions import ActionResult, BulkAction, confirm_or_run, requested_jobs_result
from mirrors.admin.tools.detail import DetailAdmin
from mirrors.admin.tools.lists.columns import STATE_COLOURS, reason_of, time_column
from mirrors.admin.tools.lists.list_rendering import state_label, state_text
from mirrors.images import ImageRef
from mirrors.models import Access, ImageMapping, ImageUse, MappingAccess, MirrorJob, OperatorAction, PullFailure
from mirrors.registries.sources import SourceEntry
from mirrors.selectors.images.mapping_search import search_mappings
from mirrors.selectors.images.mapping_states import state_of
from mirrors.selectors.jobs import free_hosts
from mirrors.selectors.jobs.advice import next_step
from mirrors.selectors.queries.search import search_words
from mirrors.selectors.queries.search_fields import SEARCH_FIELDS
from mirrors.templatetags.humanise import size
from swapper_project.process import configured

SHOWN_ROWS = 50
"""The maximum number of rows of each kind on the page of a mapping."""


ACTIVE_ACTIONS, PAUSED_ACTIONS = ("mirror", "verify", "pause", "forget"), ("resume", "forget")
"""The actions on the page of an active and of a paused mapping. Copies and verifications of a paused image are
rejected."""


def _mirror(ids: Collection[int], actor: str) -> ActionResult:
    return requested_jobs_result(
        services.mirror_mappings(mapping_ids=ids, requested_by=actor), "copy requested.", "copies requested."
    )


def _verify(ids: Collection[int], actor: str) -> ActionResult:
    result = services.verify_mappings(mapping_ids=ids, requested_by=actor)
    return requested_jobs_result(result, "verification queued.", "verifications queued.")


def _pause(ids: Collection[int], actor: str) -> ActionResult:
    return ActionResult(f"{services.set_paused(mapping_ids=ids, paused=True, requested_by=actor):,} paused.")


def _resume(ids: Collection[int], actor: str) -> ActionResult:
    return ActionResult(f"{services.set_paused(mapping_ids=ids, paused=False, requested_by=actor):,} resumed.")


def _forget(ids: Collection[int], actor: str) -> ActionResult:
    count, refusals = services.forget_mappings(mapping_ids=ids, requested_by=actor)
    return ActionResult(f"{count:,} forgotten." if count else "", refusals)


MAPPING_ACTIONS = {
    act.name: act
    for act in (
        BulkAction(
            "mirror",
            "Mirror now",
            "A worker compares source and target of these images now, and copies those that are missing or have "
            "changed. Dry run does not prevent this.",
            _mirror,
        ),
        BulkAction(
            "verify",
            "Verify",
            "A worker checks that the target has these images, and that they are unchanged since they were "
            "written. Nothing is copied.",
            _verify,
        ),
        BulkAction(
            "pause",
            "Pause",
            "These images are not copied and pods are not swapped to them until you resume them: new pods run them "
            "from their sources. A running copy finishes, a queued job fails. Running pods are not changed.",
            _pause,
        ),
        BulkAction(
            "resume",
            "Resume",
            "New pods are swapped to these images again. If the last job of an image failed, pods can start "
            "the next copy 10 minutes after the failure; Mirror now starts one immediately.",
            _resume,
        ),
        BulkAction(
            "forget",
            "Forget",
            "These mappings are deleted with their jobs, workloads and access records. The images stay at the "
            "target, and the next pod that uses one creates a new mapping. Images that are being copied are not "
            "deleted: cancel their jobs first.",
            _forget,
            is_dangerous=True,
            deletes_rows=True,
        ),
    )
}


@admin.register(ImageMapping)
class ImageMappingAdmin(DetailAdmin[ImageMapping]):
    list_display = ["image", "state", "reason", "shown_size", "access", "verified", "last_seen"]
    sortable_by = ("image", "shown_size", "last_seen")
    empty_message = "Appear after a pod is admitted: create a pod, or run manage.py mirror nginx:1.27."
    list_filter = [
        MappingStateFilter,
        ReasonFilter,
        SourceFilter,
        NamespaceFilter,
        SeenFilter,
        TargetFilter,
        AccessFilter,
        UsedInClusterFilter,
    ]
    list_select_related = ["target_registry", "last_job"]
    search_fields = SEARCH_FIELDS[ImageMapping]
    search_help_text = "Search by image or reason"
    ordering = ["-id"]
    actions = ["mirror", "verify", "pause", "resume", "forget"]
    detail_template = "admin/mirrors/mapping.html"
    live_template = "admin/mirrors/mapping_live.html"

    verified = time_column("verified_at", "last checked")
    last_seen = time_column("last_seen_at", "last requested")

    @admin.display(description="image", ordering="source")
    def image(self, row: ImageMapping) -> str:
        return row.source

    @display(description="state")
    def state(self, row: ImageMapping) -> SafeString:
        state = state_of(row)
        return state_label(state, STATE_COLOURS.get(state, ""))

    @admin.display(description="reason")
    def reason(self, row: ImageMapping) -> str:
        return reason_of(row) or limit_text(row) or "–"

    @admin.display(description="size", ordering=Coalesce("size_bytes", -1).desc())
    def shown_size(self, row: ImageMapping) -> str:
        return size(row.size_bytes)

    def get_queryset(self, request: HttpRequest) -> QuerySet[ImageMapping]:
        return super().get_queryset(request).annotate(**free_hosts.limits("last_job__"))

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[ImageMapping], term: str
    ) -> tuple[QuerySet[ImageMapping], bool]:
        return search_mappings(queryset, search_words(term)), False

    def live(self, request: HttpRequest, row: ImageMapping) -> dict[str, Any]:
        """Return the state and the jobs that change it. The page stops refreshing if no job is active."""
        jobs = list(MirrorJob.objects.filter(mapping=row).order_by("-id")[: SHOWN_ROWS + 1])
        state = state_of(row)
        failed = row.last_job if state == "failed" else None
        return {
            "state": state_text(state),
            "state_colour": STATE_COLOURS.get(state, ""),
            "failed": failed,
            "reason": reason_of(row) or limit_text(row),
            "next_attempt": next_attempt(row.last_job, row),
            "advice": next_step(failed) if failed else "",
            "jobs": jobs[:SHOWN_ROWS],
            "errors": _jobs_with_new_error(jobs, shown_message=failed.error_message if failed else ""),
            "more_jobs": len(jobs) > SHOWN_ROWS,
            "is_finished": all(job.status in MirrorJob.TERMINAL for job in jobs[:1]),
            "pull_failures": PullFailure.objects.filter(source=row.source).order_by("-pods", "-id")[:SHOWN_ROWS],
            "history": OperatorAction.objects.filter(mapping=row).order_by("-id")[:10],
        }

    def detail(self, request: HttpRequest, row: ImageMapping) -> dict[str, Any]:
        uses = list(ImageUse.objects.filter(mapping=row).order_by("-last_seen_at")[: SHOWN_ROWS + 1])
        accesses = list(MappingAccess.objects.filter(mapping=row).order_by("cluster", "namespace")[: SHOWN_ROWS + 1])
        return {
            "uses": uses[:SHOWN_ROWS],
            "accesses": accesses[:SHOWN_ROWS],
            "entry": _entry_of(row) if row.access == Access.CONFIGURED else None,
            "more": {"uses": len(uses) > SHOWN_ROWS, "accesses": len(accesses) > SHOWN_ROWS},
            "actions": [MAPPING_ACTIONS[name] for name in (PAUSED_ACTIONS if row.paused else ACTIVE_ACTIONS)],
        }

    @admin.action(description="Mirror now …", permissions=["operate"])
    def mirror(self, request: HttpRequest, rows: QuerySet[ImageMapping]) -> HttpResponse | None:
        return confirm_or_run(MAPPING_ACTIONS["mirror"], request, rows, self)

    @admin.action(description="Verify at the target …", permissions=["operate"])
    def verify(self, request: HttpRequest, rows: QuerySet[ImageMapping]) -> HttpResponse | None:
        return confirm_or_run(MAPPING_ACTIONS["verify"], request, rows, self)

    @admin.action(description="Pause …", permissions=["operate"])
    def pause(self, request: HttpRequest, rows: QuerySet[ImageMapping]) -> HttpResponse | None:
        return confirm_or_run(MAPPING_ACTIONS["pause"], request, rows, self)

    @admin.action(description="Resume …", permissions=["operate"])
    def resume(self, request: HttpRequest, rows: QuerySet[ImageMapping]) -> HttpResponse | None:
        return confirm_or_run(MAPPING_ACTIONS["resume"], request, rows, self)

    @admin.action(description="Forget …", permissions=["operate"])
    def forget(self, request: HttpRequest, rows: QuerySet[ImageMapping]) -> HttpResponse | None:
        return confirm_or_run(MAPPING_ACTIONS["forget"], request, rows, self)


def _jobs_with_new_error(jobs: Sequence[MirrorJob], *, shown_message: str) -> set[int]:
    """Return the IDs of the jobs whose error is shown: the newest job with each message. ``shown_message`` is the
    message that the page already shows above the jobs."""
    seen, shown = {"", shown_message}, set()
    for job in jobs:
        if job.error_message not in seen:
            shown.add(job.pk)
        seen.add(job.error_message)
    return shown


def _entry_of(row: ImageMapping) -> SourceEntry | None:
    """Return the active registry entry whose credentials read the image."""
    config_source = configured.source()
    catalog = selectors.catalog_of(config_source.current if config_source is not None else None)
    return catalog.entry_of(ImageRef.parse(row.source))
