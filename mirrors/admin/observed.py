"""Admin of what the system has observed: hosts, blobs, decisions, revisions."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django_q.models import Failure, OrmQ, Schedule, Success

from mirrors.admin.base import ReadOnlyAdmin
from mirrors.models import (
    AdmissionSample,
    BlobLocation,
    DecisionCount,
    HostBudget,
    Instance,
    OperatorAction,
    RegistryCheck,
    Revision,
)

# The queue's own rows are disposable wake-ups; its schedules are pickles that nobody may edit.
for queue_row in (OrmQ, Schedule, Success, Failure):
    admin.site.unregister(queue_row)


class RecentValues(admin.SimpleListFilter):
    """Values of the last days: nobody looks through all rows for those that there may be."""

    title = parameter_name = ""
    time_field = "hour"
    days = 7

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin[Any]) -> list[tuple[str, str]]:
        recent = {f"{self.time_field}__gte": timezone.now() - timedelta(days=self.days)}
        rows = model_admin.get_queryset(request).filter(**recent).order_by()
        return [(value, value) for value in sorted(rows.values_list(self.parameter_name, flat=True).distinct())]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(**{self.parameter_name: self.value()}) if self.value() else queryset


class RecentDecisions(RecentValues):
    title = parameter_name = "decision"


class RecentReasons(RecentValues):
    title = parameter_name = "reason"


class RecentActions(RecentValues):
    title = parameter_name = "action"
    time_field, days = "created_at", 90


@admin.register(HostBudget)
class HostBudgetAdmin(ReadOnlyAdmin[HostBudget]):
    list_display = ["host", "credential", "operation", "resting_until", "remaining"]
    search_fields = ["host"]


@admin.register(BlobLocation)
class BlobLocationAdmin(ReadOnlyAdmin[BlobLocation]):
    list_display = ["digest", "repository", "registry", "seen_at"]
    list_select_related = ["registry"]
    search_fields = ["digest", "repository"]
    ordering = ["-id"]


@admin.register(DecisionCount)
class DecisionCountAdmin(ReadOnlyAdmin[DecisionCount]):
    list_display = ["hour", "namespace", "source_host", "decision", "reason", "filter", "images"]
    list_filter = [RecentDecisions, RecentReasons]
    search_fields = ["namespace", "source_host"]
    ordering = ["-id"]


@admin.register(Revision)
class RevisionAdmin(ReadOnlyAdmin[Revision]):
    list_display = ["table", "number"]
    search_fields = ["table"]


@admin.register(AdmissionSample)
class AdmissionSampleAdmin(ReadOnlyAdmin[AdmissionSample]):
    list_display = ["created_at", "namespace", "pod_name", "workload"]
    search_fields = ["namespace", "pod_name", "workload"]
    ordering = ["-id"]


@admin.register(OperatorAction)
class OperatorActionAdmin(ReadOnlyAdmin[OperatorAction]):
    list_display = ["created_at", "actor", "action", "subject", "details"]
    list_filter = [RecentActions]
    search_fields = ["actor", "subject"]
    ordering = ["-id"]


@admin.register(Instance)
class InstanceAdmin(ReadOnlyAdmin[Instance]):
    list_display = ["role", "name", "started_at", "seen_at"]
    list_filter = ["role"]
    search_fields = ["name"]


@admin.register(RegistryCheck)
class RegistryCheckAdmin(ReadOnlyAdmin[RegistryCheck]):
    list_display = ["registry", "status", "requested_by", "created_at", "finished_at"]
    list_filter = ["status"]
    list_select_related = ["registry"]
    search_fields = ["registry__endpoint"]
    ordering = ["-id"]
