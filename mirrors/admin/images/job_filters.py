"""Filters of the list of jobs."""

from __future__ import annotations

from typing import Any

from django.contrib.admin import ModelAdmin
from django.db.models import F, QuerySet
from django.http import HttpRequest
from unfold.contrib.filters.admin import DropdownFilter, TextFilter

from mirrors.admin.tools import links
from mirrors.models import MirrorJob


class FailedAtFilter(TextFilter):
    """Jobs that failed at a registry. The value can have several names of the registry, separated by commas."""

    title = "failed at registry"
    parameter_name = "error_host"

    def queryset(self, request: HttpRequest, queryset: Any) -> QuerySet[MirrorJob]:
        hosts = [host for name in (self.value() or "").split(",") if (host := name.strip().lower())]
        rows: QuerySet[MirrorJob] = queryset.failed_at(*hosts[: links.HOSTS_IN_URL]) if hosts else queryset
        return rows


class LastOfImageFilter(DropdownFilter):
    """Jobs that are the last of their image, so that a failure is not resolved yet."""

    title = "last job of its image"
    parameter_name = "last"

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin[Any]) -> list[tuple[str, str]]:
        return [("yes", "Yes")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[MirrorJob]) -> QuerySet[MirrorJob]:
        return queryset.filter(mapping__last_job=F("pk")) if self.value() == "yes" else queryset
