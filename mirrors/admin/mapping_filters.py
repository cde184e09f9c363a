"""Filters of the list of mappings."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib.admin import ModelAdmin
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from unfold.contrib.filters.admin import DropdownFilter, TextFilter

from mirrors.models import Access, ErrorClass, ImageMapping, ImageUse, Obstacle, Registry, RegistryRole

Rows = QuerySet[ImageMapping]
_OPEN = Q(paused=False, obstacle="")
STATES: dict[str, tuple[str, Q]] = {
    "mirrored": ("Mirrored", _OPEN & Q(existence="present")),
    "copying": ("Copying", _OPEN & ~Q(existence="present") & Q(last_job__status="running")),
    "queued": ("Queued", _OPEN & ~Q(existence="present") & Q(last_job__status="pending")),
    "failed": ("Failed", _OPEN & ~Q(existence="present") & Q(last_job__status="failed")),
    "absent": ("Absent", Q(existence="absent")),
    "paused": ("Paused", Q(paused=True)),
    "obstacle": ("Blocked: tampered or immutable", ~Q(obstacle="")),
}
PRIVATE = "private"
AGES = {
    "day": ("In the last 24 hours", timedelta(days=1), True),
    "week": ("In the last 7 days", timedelta(days=7), True),
    "not-week": ("Not in the last 7 days", timedelta(days=7), False),
    "not-month": ("Not in the last 30 days", timedelta(days=30), False),
    "not-quarter": ("Not in the last 90 days", timedelta(days=90), False),
}


class StateFilter(DropdownFilter):
    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin[Any]) -> list[tuple[str, str]]:
        return [(key, words) for key, (words, _) in STATES.items()]

    def queryset(self, request: HttpRequest, queryset: Rows) -> Rows:
        found = STATES.get(self.value() or "")
        return queryset.filter(found[1]) if found else queryset


class ReasonFilter(DropdownFilter):
    """Why an image is not mirrored: the error of its last copy, or what blocks it."""

    title = "reason"
    parameter_name = "reason"

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin[Any]) -> list[tuple[str, str]]:
        return [(key, str(words)) for key, words in (*Obstacle.choices, *ErrorClass.choices) if key]

    def queryset(self, request: HttpRequest, queryset: Rows) -> Rows:
        reason = self.value()
        if reason in Obstacle.values:
            return queryset.filter(obstacle=reason)
        return queryset.filter(last_job__status="failed", last_job__error_class=reason) if reason else queryset


class SeenFilter(DropdownFilter):
    """When a pod or a user last requested it."""

    title = "last requested"
    parameter_name = "seen"

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin[Any]) -> list[tuple[str, str]]:
        return [(key, words) for key, (words, _, _) in AGES.items()]

    def queryset(self, request: HttpRequest, queryset: Rows) -> Rows:
        found = AGES.get(self.value() or "")
        if found is None:
            return queryset
        _, age, is_within = found
        since = timezone.now() - age
        return queryset.filter(last_seen_at__gte=since) if is_within else queryset.filter(last_seen_at__lt=since)


class AccessFilter(DropdownFilter):
    """How the source can be read; images that were read only with credentials are private."""

    title = "access"
    parameter_name = "access"

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin[Any]) -> list[tuple[str, str]]:
        return [(PRIVATE, "Private (needs credentials)"), *((value, str(label)) for value, label in Access.choices)]

    def queryset(self, request: HttpRequest, queryset: Any) -> Rows:
        found: Rows = queryset
        if self.value() == PRIVATE:
            return found.private()  # type: ignore[attr-defined, no-any-return]
        return found.filter(access=self.value()) if self.value() in Access.values else found


class TargetFilter(DropdownFilter):
    """Registries that images are mirrored to."""

    title = "target registry"
    parameter_name = "target_registry__id__exact"

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin[Any]) -> list[tuple[str, str]]:
        targets = Registry.objects.filter(role=RegistryRole.TARGET).order_by("endpoint", "prefix")
        return [(str(row.pk), str(row)) for row in targets]

    def queryset(self, request: HttpRequest, queryset: Rows) -> Rows:
        key = self.value() or ""
        return queryset.filter(target_registry=int(key)) if key.isascii() and key.isdecimal() else queryset


class NamespaceFilter(TextFilter):
    """Images that pods of a namespace use."""

    title = "namespace"
    parameter_name = "namespace"

    def queryset(self, request: HttpRequest, queryset: Rows) -> Rows:
        if not (name := (self.value() or "").strip()):
            return queryset
        return queryset.filter(Exists(ImageUse.objects.filter(mapping=OuterRef("pk"), namespace=name)))


class SourceFilter(TextFilter):
    """Images of one source registry."""

    title = "source registry"
    parameter_name = "source"

    def queryset(self, request: HttpRequest, queryset: Rows) -> Rows:
        host = (self.value() or "").strip().lower()
        return queryset.filter(source__startswith=f"{host}/") if host else queryset
