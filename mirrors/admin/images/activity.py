"""Admin of the actions of users on mappings, jobs, registries and repositories."""

from __future__ import annotations

from typing import Any

from django.contrib import admin

from mirrors.admin.tools.base import ReadOnlyAdmin
from mirrors.admin.tools.list_filters.recent_filter import RecentActions
from mirrors.admin.tools.lists.columns import time_column
from mirrors.models import OperatorAction
from mirrors.selectors.queries.search_fields import SEARCH_FIELDS
from mirrors.templatetags.humanise import past


@admin.register(OperatorAction)
class OperatorActionAdmin(ReadOnlyAdmin[OperatorAction]):
    list_display = ["created", "user", "done", "object", "details"]
    empty_message = "Appear after a user changes mappings, jobs, registries or repositories."
    list_filter = [RecentActions]
    search_fields = SEARCH_FIELDS[OperatorAction]
    ordering = ["-id"]
    row_names = ("action", "actions")

    omitted_fields = ("actor", "token", "subject")

    created = time_column("created_at", "time")

    def row_title(self, row: Any) -> str:
        return f"{past(row.action)}: {row.subject}"

    @admin.display(description="user")
    def user(self, row: OperatorAction) -> str:
        return row.who

    @admin.display(description="object")
    def object(self, row: OperatorAction) -> str:
        return row.subject

    @admin.display(description="action")
    def done(self, row: OperatorAction) -> str:
        return past(row.action)
