"""Admin of the change history, which is read-only: who changed which row, and when."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC
from typing import Any, Final

from auditlog.models import LogEntry
from auditlog.registry import auditlog
from django.contrib import admin
from django.contrib.contenttypes.models import ContentType
from django.db import models
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.dateparse import parse_datetime
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import DropdownFilter

from mirrors.admin.tools.base import ReadOnlyAdmin
from mirrors.admin.tools.lists.columns import time_column
from mirrors.admin.tools.row_fields import NOTHING, form_title, spaced_name
from mirrors.templatetags.humanise import past, when

admin.site.unregister(LogEntry)

OBJECT: Final = "object_pk__exact"
"""The parameter with the key of the row whose changes a link selects."""

LONGEST_SHOWN_VALUE = 200
"""The maximum number of characters of a value that the history shows, about two lines."""

VALUE_TEXTS = {"": NOTHING, "None": NOTHING, "[]": NOTHING, "{}": NOTHING, "True": "yes", "False": "no"}

ACTIONS: Final = {
    str(value): past(str(name)) for value, name in LogEntry.Action.choices if value != LogEntry.Action.ACCESS
}
"""The names of actions in the list, by their values. Reads of rows are not recorded."""


class HistoryActionFilter(DropdownFilter):
    title, parameter_name = "action", "action__exact"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin[Any]) -> list[tuple[str, str]]:
        return list(ACTIONS.items())

    def queryset(self, request: HttpRequest, queryset: QuerySet[LogEntry]) -> QuerySet[LogEntry]:
        chosen = self.value()
        return queryset.filter(action=chosen) if chosen else queryset


class ObjectTypeFilter(DropdownFilter):
    """Models whose changes are recorded, by their names in the list, and the model of the row that a link selects."""

    title, parameter_name = "object type", "content_type__id__exact"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin[Any]) -> list[tuple[str, str]]:
        kinds = ContentType.objects.get_for_models(*admin.site._registry)
        named = [(kind.name, str(kind.pk), auditlog.contains(model)) for model, kind in kinds.items()]
        return [(key, name) for name, key, is_recorded in sorted(named) if is_recorded or key == self.value()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[LogEntry]) -> QuerySet[LogEntry]:
        chosen = self.value()
        return queryset.filter(content_type=int(chosen)) if chosen and chosen.isdecimal() else queryset


@admin.register(LogEntry)
class LogEntryAdmin(ReadOnlyAdmin[LogEntry]):
    list_display = ["at", "who", "done", "kind", "name", "fields_changed"]
    empty_message = "Appear after a registry, filter, user or API token is changed."
    list_filter = [HistoryActionFilter, ObjectTypeFilter]
    search_fields = ["object_repr", "actor__username", "actor_email"]
    ordering = ["-id"]
    fields = ["at", "who", "remote_addr", "done", "kind", "name", "fields_changed", "before_and_after"]
    readonly_fields = ["at", "who", "done", "kind", "name", "fields_changed", "before_and_after"]
    row_names = ("change", "changes")

    at = time_column("timestamp", "time")

    def get_queryset(self, request: HttpRequest) -> QuerySet[LogEntry]:
        return super().get_queryset(request).select_related("actor", "content_type")

    def filter_text(self, name: str, values: Sequence[str], parameters: Mapping[str, list[str]]) -> str:
        """Return the name of the object whose changes are listed, from its last change."""
        if name == OBJECT and (kind := "".join(parameters.get(ObjectTypeFilter.parameter_name, ()))).isdecimal():
            changes = LogEntry.objects.filter(content_type=int(kind), object_pk__in=values)
            if name_of_object := changes.order_by("-id").values_list("object_repr", flat=True).first():
                return str(name_of_object)
        return super().filter_text(name, values, parameters)

    def row_title(self, row: Any) -> str:
        return f"{self.done(row)} {self.kind(row)} {row.object_repr}"

    @admin.display(description="user")
    def who(self, entry: LogEntry) -> str:
        author: dict[str, str] = entry.additional_data or {}
        if name := author.get("user"):
            return f"{name}, token {author['token']}" if "token" in author else name
        if entry.remote_addr:
            # A sign-in that upgrades an old password hash, before the user is known.
            return "sign-in"
        return author.get("by", "command line")

    @admin.display(description="action", ordering="action")
    def done(self, entry: LogEntry) -> str:
        return past(entry.get_action_display())

    @admin.display(description="object", ordering="object_repr")
    def name(self, entry: LogEntry) -> str:
        return entry.object_repr

    @admin.display(description="object type")
    def kind(self, entry: LogEntry) -> str:
        return entry.content_type.name

    @admin.display(description="fields")
    def fields_changed(self, entry: LogEntry) -> str:
        return ", ".join(_title(entry, name) for name in sorted(entry.changes or {}))

    @admin.display(description="before and after")
    def before_and_after(self, entry: LogEntry) -> str:
        labels = _labels_of(entry) | _names_of(entry) | _times_of(entry)
        changes = sorted((entry.changes or {}).items())
        lines = [(_title(entry, name), *_before_and_after(change, labels.get(name, {}))) for name, change in changes]
        changed = [line for line in lines if line[1:] != (NOTHING, NOTHING)]
        return format_html("<ul>{}</ul>", format_html_join("", "<li><strong>{}</strong>: {} → {}</li>", changed))


def _title(entry: LogEntry, name: str) -> str:
    """Return the title that forms have for a changed field; the name of the field, if the field or its model was
    removed since."""
    model = entry.content_type.model_class()
    if model is None:
        return spaced_name(name)
    # Groups are called roles in all forms and lists.
    titles: Mapping[str, str] = getattr(admin.site._registry.get(model), "filter_titles", {})
    return titles.get(name) or form_title(model._meta, name)


def _labels_of(entry: LogEntry) -> dict[str, dict[str, str]]:
    """Return the labels of values by field, for fields with choices."""
    model = entry.content_type.model_class()
    fields = model._meta.concrete_fields if model is not None else ()
    return {field.name: {str(key): str(label) for key, label in field.flatchoices} for field in fields}


def _names_of(entry: LogEntry) -> dict[str, dict[str, str]]:
    """Return the names of related rows by field and key, such as the user of a token."""
    model = entry.content_type.model_class()
    fields = {field.name: field for field in model._meta.concrete_fields if field.is_relation} if model else {}
    names: dict[str, dict[str, str]] = {}
    changes = entry.changes or {}
    for name in fields.keys() & changes.keys():
        related: Any = fields[name].related_model
        keys = {str(key) for key in changes[name]} - set(VALUE_TEXTS)
        rows = related._base_manager.filter(pk__in=[key for key in keys if key.isdecimal()])
        names[name] = dict.fromkeys(keys, "(deleted)") | {str(row.pk): str(row) for row in rows}
    return names


def _times_of(entry: LogEntry) -> dict[str, dict[str, str]]:
    """Return the times of values by field. auditlog records them in UTC, without a zone."""
    model = entry.content_type.model_class()
    fields = model._meta.concrete_fields if model is not None else ()
    names = {field.name for field in fields if isinstance(field, models.DateTimeField)}
    return {name: _times(values) for name, values in (entry.changes or {}).items() if name in names}


def _times(values: Iterable[Any]) -> dict[str, str]:
    parsed = {value: parse_datetime(value) for value in values if isinstance(value, str)}
    return {value: when(at.replace(tzinfo=UTC)) for value, at in parsed.items() if at is not None}


def _before_and_after(change: Any, labels: dict[str, str]) -> tuple[str, str]:
    """Return the values before and after a change. auditlog records both, but for roles the names that were added or
    removed."""
    if isinstance(change, dict):
        names = ", ".join(change.get("objects", []))
        return (NOTHING, names) if change.get("operation") == "add" else (names, NOTHING)
    before, after = (labels.get(str(value), value) for value in change)
    return _short(before), _short(after)


def _short(value: object) -> str:
    if isinstance(value, SafeString):
        return value
    text = VALUE_TEXTS.get(str(value), str(value))
    return text if len(text) <= LONGEST_SHOWN_VALUE else f"{text[:LONGEST_SHOWN_VALUE]}…"
