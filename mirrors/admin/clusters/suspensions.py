"""Admin of suspended swaps: targets that nodes cannot pull from, and restart loops, with actions that end a
suspension."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.safestring import SafeString
from unfold.decorators import display

from mirrors import services
from mirrors.admin.tools.base import ReadOnlyAdmin
from mirrors.admin.tools.bulk_actions import ActionResult, BulkAction, confirm_or_run
from mirrors.admin.tools.list_filters.clusters import ClusterListFilter, namespace_column
from mirrors.admin.tools.list_filters.namespace_filter import OwnNamespaceFilter
from mirrors.admin.tools.lists.columns import time_column
from mirrors.admin.tools.lists.list_rendering import label, state_label
from mirrors.models import RestartLoop, TargetHealth
from mirrors.selectors.clusters.pull_failures import pull_advice
from mirrors.selectors.queries.search_fields import SEARCH_FIELDS
from mirrors.vocabulary.pull_causes import PullSide

HEALTH_COLOURS: Final = {"healthy": "success", "unhealthy": "danger", "testing": "warning"}


def _release(ids: Collection[int], actor: str) -> ActionResult:
    count = services.release_loops(loop_ids=ids, requested_by=actor)
    return ActionResult(
        f"{count:,} released." if count else "", () if count else ("None of these restart loops is active now.",)
    )


def _declare_healthy(ids: Collection[int], actor: str) -> ActionResult:
    count = services.declare_healthy(health_ids=ids, requested_by=actor)
    message = f"{count:,} declared healthy." if count else ""
    return ActionResult(message, () if count else ("All of these targets are already healthy.",))


RELEASE: Final = BulkAction(
    "release",
    "Release",
    "The images of these workloads are swapped again, starting with the next pod. If pods are still deleted after "
    "that, the restart loop is detected again.",
    _release,
)
DECLARE_HEALTHY: Final = BulkAction(
    "declare_healthy",
    "Declare healthy",
    "All new pods are swapped to these targets again, without a test. If pods on two nodes then cannot pull from a "
    "target, it becomes unhealthy again.",
    _declare_healthy,
)


@admin.register(RestartLoop)
class RestartLoopAdmin(ReadOnlyAdmin[RestartLoop]):
    list_display = ["source", "shown_namespace", "workload_kind", "workload", "state", "count", "detected", "expires"]
    list_filter = [OwnNamespaceFilter, ClusterListFilter]
    empty_message = "Appear when the pods of a workload are deleted again and again right after they were swapped."
    search_fields = SEARCH_FIELDS[RestartLoop]
    ordering = ["-id"]
    actions = ["release"]

    shown_namespace = namespace_column
    detected = time_column("detected_at")
    expires = time_column("expires_at")

    @display(description="state")
    def state(self, row: RestartLoop) -> SafeString:
        if row.released_at:
            return state_label("released")
        return state_label("not swapped", "danger") if row.expires_at > timezone.now() else state_label("expired")

    @admin.action(description="Release …", permissions=["operate"])
    def release(self, request: HttpRequest, rows: QuerySet[RestartLoop]) -> HttpResponse | None:
        return confirm_or_run(RELEASE, request, rows, self)

    def has_operate_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("mirrors.change_restartloop")


@admin.register(TargetHealth)
class TargetHealthAdmin(ReadOnlyAdmin[TargetHealth]):
    list_display = ["registry", "cluster", "shown_state", "cause", "what_to_do", "changed"]
    list_filter = ["state", ClusterListFilter]
    row_names = ("target", "targets")
    sortable_by = None  # a row for each cluster
    empty_message = "Appear when pods on two nodes cannot pull from the target, if a watcher runs (manage.py watch)."
    search_fields = SEARCH_FIELDS[TargetHealth]
    ordering = ["cluster", "registry"]
    actions = ["declare_healthy"]
    fields = ("cluster", "registry", "shown_state", "cause", "what_to_do", "message", "on_nodes", "began", "changed")

    began = time_column("began_at")
    changed = time_column("changed_at")

    @display(description="state", ordering="state")
    def shown_state(self, row: TargetHealth) -> SafeString:
        return label(row.get_state_display(), HEALTH_COLOURS.get(row.state, ""))

    @admin.display(description="what to do")
    def what_to_do(self, row: TargetHealth) -> str:
        return pull_advice(row.cause, PullSide.TARGET) if row.state in TargetHealth.DISTURBED else "–"

    @admin.display(description="nodes that could not pull")
    def on_nodes(self, row: TargetHealth) -> str:
        return ", ".join(row.nodes) or "–"

    @admin.action(description="Declare healthy …", permissions=["operate"])
    def declare_healthy(self, request: HttpRequest, rows: QuerySet[TargetHealth]) -> HttpResponse | None:
        return confirm_or_run(DECLARE_HEALTHY, request, rows, self)

    def has_operate_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("mirrors.change_targethealth")
