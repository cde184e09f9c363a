"""Admin of the history of changes: who changed what and when; nobody edits it."""

from __future__ import annotations

from typing import Any

from auditlog.models import LogEntry
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join

from mirrors.admin.base import ReadOnlyAdmin
from mirrors.admin.columns import moment

admin.site.unregister(LogEntry)

SHOWN_CHARACTERS = 200


@admin.register(LogEntry)
class LogEntryAdmin(ReadOnlyAdmin[LogEntry]):
    list_display = ["at", "who", "action", "kind", "name", "fields_changed"]
    empty_words = "No registry, filter, user or token was changed."
    list_filter = ["action", "content_type"]
    search_fields = ["object_repr", "actor__username", "actor_email"]
    ordering = ["-id"]
    fields = ["at", "who", "remote_addr", "action", "kind", "object_repr", "before_and_after"]
    readonly_fields = ["at", "who", "kind", "before_and_after"]

    at = moment("timestamp", "when")

    def get_queryset(self, request: HttpRequest) -> QuerySet[LogEntry]:
        return super().get_queryset(request).select_related("actor", "content_type")

    @admin.display(description="who")
    def who(self, entry: LogEntry) -> str:
        known: dict[str, str] = entry.additional_data or {}
        if name := known.get("user"):
            return f"{name} (API token {known['token']})" if "token" in known else name
        if entry.remote_addr:
            # A log-in that renews an old hash, before it is through.
            return "log-in"
        return known.get("by", "command line")

    @admin.display(description="name", ordering="object_repr")
    def name(self, entry: LogEntry) -> str:
        return entry.object_repr

    @admin.display(description="what")
    def kind(self, entry: LogEntry) -> str:
        return entry.content_type.name

    @admin.display(description="fields")
    def fields_changed(self, entry: LogEntry) -> str:
        return ", ".join(sorted(entry.changes or {}))

    @admin.display(description="before and after")
    def before_and_after(self, entry: LogEntry) -> str:
        lines = [(name, *_pair(change)) for name, change in sorted((entry.changes or {}).items())]
        return format_html("<ul>{}</ul>", format_html_join("", "<li><strong>{}</strong>: {} → {}</li>", lines))


def _pair(change: Any) -> tuple[str, str]:
    """auditlog writes pairs, and for roles what was added or taken away."""
    if isinstance(change, dict):
        names = ", ".join(change.get("objects", []))
        return ("", names) if change.get("operation") == "add" else (names, "")
    before, after = change
    return _short(before), _short(after)


def _short(value: object) -> str:
    text = "–" if value in (None, "", "None") else str(value)
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}…"
