"""Admin of target repositories: which settings differ, and an action that applies the configured ones."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from mirrors.admin.tools.base import ReadOnlyAdmin
from mirrors.admin.tools.lists.columns import time_column
from mirrors.admin.tools.row_fields import NOTHING, as_lines, json_as_text
from mirrors.models import TargetRepository
from mirrors.selectors.queries.search_fields import SEARCH_FIELDS
from mirrors.services import request_settings


@admin.register(TargetRepository)
class TargetRepositoryAdmin(ReadOnlyAdmin[TargetRepository]):
    list_display = ["name", "registry", "what_differs", "comes_from", "problem", "asked", "checked"]
    empty_message = "Appear after the first image is copied to a repository."
    list_filter = ["has_differences", "pulls_through"]
    filter_titles: ClassVar[dict[str, str]] = {"pulls_through": "pull-through cache"}
    list_select_related = ["registry"]
    search_fields = SEARCH_FIELDS[TargetRepository]
    ordering = ["-has_differences", "name"]
    actions = ["apply_settings"]

    omitted_fields = ("has_differences", "pulls_through", "facts", "differences")

    def get_fields(self, request: HttpRequest, obj: TargetRepository | None = None) -> Any:
        return [*super().get_fields(request, obj), "differences_in_words", "settings_in_words"]

    asked = time_column("apply_requested_at", "apply requested")
    checked = time_column("checked_at")

    @admin.display(description="images")
    def comes_from(self, row: TargetRepository) -> str:
        return "pull-through cache" if row.pulls_through else "copied"

    @admin.display(description="differing settings")
    def what_differs(self, row: TargetRepository) -> str:
        return ", ".join(difference["setting"] for difference in row.differences)

    @admin.display(description="differences")
    def differences_in_words(self, row: TargetRepository) -> str:
        return as_lines(map(_difference, row.differences)) or NOTHING

    @admin.display(description="settings at the registry")
    def settings_in_words(self, row: TargetRepository) -> str:
        return json_as_text(row.facts)

    @admin.action(description="Apply the configured settings", permissions=["apply"])
    def apply_settings(self, request: HttpRequest, rows: QuerySet[TargetRepository]) -> None:
        count = request_settings(
            repository_ids=list(rows.values_list("pk", flat=True)), requested_by=request.user.get_username()
        )
        if count:
            word = "repository" if count == 1 else "repositories"
            messages.info(request, f"The next free worker applies the settings of {count:,} {word}.")
        else:
            messages.info(request, "The settings of these repositories do not differ: there is nothing to apply.")

    def has_apply_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("mirrors.change_targetrepository")


def _difference(difference: dict[str, str]) -> str:
    """Return a setting, its value at the registry, the configured value, and why it cannot be changed, as text."""
    actual, configured = difference.get("found") or NOTHING, difference.get("wanted") or NOTHING
    problem = f" ({difference['problem']})" if difference.get("problem") else ""
    return f"{difference['setting']}: {actual}, configured: {configured}{problem}"
