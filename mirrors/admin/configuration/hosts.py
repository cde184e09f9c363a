"""Admin of rate limits: which hosts are rate limited, their remaining pulls, and an action that resumes a host."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import path, reverse
from django.urls.resolvers import URLPattern
from django.utils.html import format_html

from mirrors import services
from mirrors.admin.tools.base import ReadOnlyAdmin
from mirrors.admin.tools.bulk_actions import ActionResult, BulkAction, confirm_or_run, confirmation_page
from mirrors.admin.tools.lists.columns import time_column
from mirrors.admin.tools.lists.csv_export import csv_column
from mirrors.models import HostBudget
from mirrors.selectors.jobs.free_hosts import with_waiting
from mirrors.selectors.queries.search_fields import SEARCH_FIELDS
from mirrors.templatetags.humanise import when

NOT_LIMITED: Final = "None of these hosts is rate limited."


def _resume(ids: Collection[int], actor: str) -> ActionResult:
    count = services.resume_hosts(host_ids=ids, requested_by=actor)
    return ActionResult(f"{count:,} resumed." if count else "", () if count else (NOT_LIMITED,))


RESUME: Final = BulkAction(
    "resume",
    "Resume",
    "Copies from and to these hosts start again now, before the rate limit ends. If a host still limits requests, "
    "copies wait again.",
    _resume,
)


def _pulls(row: HostBudget, separator: str) -> str:
    """Return the remaining pulls and their limit as text. ``separator`` separates thousands, and is empty in files."""
    if row.remaining is None:
        return ""
    numbers = (row.remaining, row.pull_limit) if row.pull_limit else (row.remaining,)
    return " of ".join(f"{number:{separator}}" for number in numbers)


def _waiting(row: HostBudget) -> int | None:
    """Return the number of copies that wait for the host; None if no limit delays them."""
    is_limited = row.paused_until or (row.resting_until is None and row.low_priority_until)
    return getattr(row, "waiting_jobs", 0) if is_limited else None


@admin.register(HostBudget)
class HostBudgetAdmin(ReadOnlyAdmin[HostBudget]):
    list_display = ["host", "operation", "budget", "account", "pulls", "paused", "waiting", "updated"]
    sortable_by = None  # few rows
    empty_message = "Appear when a registry has a budget, limits requests or reports remaining pulls."
    search_fields = SEARCH_FIELDS[HostBudget]
    ordering = ["host", "operation"]
    actions = ["resume"]

    omitted_fields = ("credential", "resting_until", "pull_limit", "held_until", "held_from")

    updated = time_column("updated_at", "reported")

    @admin.display(description="budget", ordering="per_second")
    def budget(self, row: HostBudget) -> str:
        """Return the number of requests that all workers together can send."""
        if row.per_second is None:
            return "–"
        return f"{row.per_second:g}{' at a time' if row.operation == 'transfer' else '/s'}"

    @admin.display(description="credentials", ordering="credential")
    def account(self, row: HostBudget) -> str:
        """Return the credentials whose pulls are counted. Budgets of requests apply to all credentials."""
        return row.credential or ("anonymous" if row.remaining is not None else "–")

    @csv_column("remaining pulls", lambda row: _pulls(row, ""))
    @admin.display(description="remaining pulls", ordering="remaining")
    def pulls(self, row: HostBudget) -> str:
        return _pulls(row, ",") or "–"

    @csv_column("rate limited until", lambda row: row.paused_until)
    @admin.display(description="rate limited")
    def paused(self, row: HostBudget) -> Any:
        if row.paused_until:
            return format_html("retry {}", when(row.paused_until))
        return "–" if row.resting_until is None else "ended; one copy is tried before the others"

    @csv_column("waiting copies", _waiting)
    @csv_column("copies wait until", lambda row: row.low_priority_until)
    @admin.display(description="waiting copies")
    def waiting(self, row: HostBudget) -> Any:
        """Return how many copies wait for the host. If only copies of some priorities wait, add these priorities and
        the time until which they wait."""
        if (count := _waiting(row)) is None:
            return "–"
        if row.resting_until is None and row.low_priority_until:
            priorities = ", ".join(row.waiting_priorities)
            return format_html("{} ({}: {})", f"{count:,}", priorities, when(row.low_priority_until))
        return f"{count:,}"

    def get_queryset(self, request: HttpRequest) -> QuerySet[HostBudget]:
        return with_waiting(super().get_queryset(request))

    @admin.action(description="Resume …", permissions=["operate"])
    def resume(self, request: HttpRequest, rows: QuerySet[HostBudget]) -> HttpResponse | None:
        return confirm_or_run(RESUME, request, rows, self)

    def get_urls(self) -> list[URLPattern]:
        page = self.admin_site.admin_view(self.resume_view)
        return [path("resume/", page, name="mirrors_hostbudget_resume"), *super().get_urls()]

    def resume_view(self, request: HttpRequest) -> HttpResponse:
        """Ask for confirmation to resume the host of a link."""
        if not self.has_operate_permission(request):
            raise PermissionDenied
        rows = HostBudget.objects.limited().filter(host=request.GET.get("host", ""))
        return confirmation_page(RESUME, request, rows, self, back=reverse("admin:index"), nothing=NOT_LIMITED)

    def has_operate_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("mirrors.change_hostbudget")
