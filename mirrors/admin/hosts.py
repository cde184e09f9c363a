"""Admin of rate limits: which hosts are rate limited, their remaining pulls, and an action that resumes a host."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse

from mirrors import services
from mirrors.admin.base import ReadOnlyAdmin
from mirrors.admin.bulk_actions import Act, Done, confirm_or_run
from mirrors.admin.columns import moment
from mirrors.models import HostBudget
from mirrors.templatetags.humanise import when


def _resume(ids: Collection[int], actor: str) -> Done:
    count = services.resume_hosts(host_ids=ids, requested_by=actor)
    return Done(f"{count} resumed." if count else "", () if count else ("None of these hosts is rate limited.",))


RESUME: Final = Act(
    "resume",
    "Resume",
    "Copies from and to these hosts start again now, before the rate limit ends. If a host still limits requests, "
    "copies wait again.",
    _resume,
)


@admin.register(HostBudget)
class HostBudgetAdmin(ReadOnlyAdmin[HostBudget]):
    list_display = ["host", "operation", "paused", "remaining", "updated"]
    sortable_by = None  # few rows
    empty_words = "Appear after a registry limits requests or reports remaining pulls."
    search_fields = ["host"]
    ordering = ["host", "operation"]
    actions = ["resume"]

    updated = moment("updated_at", "reported")

    @admin.display(description="rate limited")
    def paused(self, row: HostBudget) -> Any:
        if row.resting_until is None:
            return "–"
        return when(row.paused_until) if row.paused_until else "ended; one copy tries first"

    @admin.action(description="Resume …", permissions=["operate"])
    def resume(self, request: HttpRequest, rows: QuerySet[HostBudget]) -> HttpResponse | None:
        return confirm_or_run(RESUME, request, rows, self)

    def has_operate_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("mirrors.change_hostbudget")
