"""Admin of what the system has observed: hosts, blobs, revisions."""

from __future__ import annotations

from django.contrib import admin
from django_q.models import Failure, OrmQ, Schedule, Success

from mirrors.admin.base import ReadOnlyAdmin
from mirrors.models import (
    BlobLocation,
    HostBudget,
    Instance,
    OperatorAction,
    RegistryCheck,
    Revision,
)

# The queue's own rows are disposable wake-ups; its schedules are pickles that nobody may edit.
for queue_row in (OrmQ, Schedule, Success, Failure):
    admin.site.unregister(queue_row)


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


@admin.register(Revision)
class RevisionAdmin(ReadOnlyAdmin[Revision]):
    list_display = ["table", "number"]
    search_fields = ["table"]


@admin.register(OperatorAction)
class OperatorActionAdmin(ReadOnlyAdmin[OperatorAction]):
    list_display = ["created_at", "actor", "action", "subject", "details"]
    list_filter = ["action"]
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
