"""Admin of registries' hosts: which are paused, how many pulls they say are left, and an action that ends a pause."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse

from mirrors import services
from mirrors.admin.acts import Act, Done, confirm_or_run
from mirrors.admin.base import ReadOnlyAdmin
from mirrors.admin.columns import moment
from mirrors.models import HostBudget
from mirrors.templatetags.humanise import when


def _resume(ids: Collection[int], actor: str) -> Done:
    count = services.resume_hosts(host_ids=ids, requested_by=actor)
    return Done(f"{count} resumed." if count else "", () if count else ("None of these hosts is paused.",))


RESUME: Final = Act(
    "resume",
    "Resume",
    "Copies from and to these hosts start again now, without waiting for the end of the pause. A host that still "
    "limits requests asks for another pause.",
    _resume,
)


@admin.register(HostBudget)
class HostBudgetAdmin(ReadOnlyAdmin[HostBudget]):
    list_display = ["host", "operation", "paused", "remaining", "updated"]
    empty_words = "No registry has limited requests, or reported how many pulls are left."
    search_fields = ["host"]
    ordering = ["host", "operation"]
    actions = ["resume"]

    updated = moment("updated_at", "reported")

    @admin.display(description="paused until")
    def paused(self, row: HostBudget) -> Any:
        if row.resting_until is None:
            return "–"
        return when(row.paused_until) if row.paused_until else "over: one copy tries it first"

    @admin.action(description="Resume …", permissions=["operate"])
    def resume(self, request: HttpRequest, rows: QuerySet[HostBudget]) -> HttpResponse | None:
        return confirm_or_run(RESUME, request, rows, self)

    def has_operate_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("mirrors.change_hostbudget")
