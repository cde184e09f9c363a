"""Admin of internal rows: blobs at targets, revisions, shares of budgets, leases. The rows of django-q2 are hidden."""

from __future__ import annotations

from django.contrib import admin
from django_q.models import Failure, OrmQ, Schedule, Success

from mirrors.admin.tools.base import ReadOnlyAdmin
from mirrors.admin.tools.lists.columns import time_column
from mirrors.models import BlobLocation, BudgetShare, Revision, WorkLease

# django-q2's rows are only wake-ups, and its schedules are pickles that must not be edited.
for queue_row in (OrmQ, Schedule, Success, Failure):
    admin.site.unregister(queue_row)


@admin.register(BlobLocation)
class BlobLocationAdmin(ReadOnlyAdmin[BlobLocation]):
    list_display = ["digest", "repository", "registry", "seen"]
    list_select_related = ["registry"]
    search_fields = ["digest", "repository"]
    ordering = ["-id"]

    seen = time_column("seen_at")


@admin.register(Revision)
class RevisionAdmin(ReadOnlyAdmin[Revision]):
    list_display = ["table", "number"]
    search_fields = ["table"]


@admin.register(BudgetShare)
class BudgetShareAdmin(ReadOnlyAdmin[BudgetShare]):
    list_display = ["budget", "worker", "wanted", "granted", "expires"]
    empty_message = "Appear while workers send requests to a registry that has a budget."
    list_select_related = ["budget"]
    search_fields = ["budget__host", "worker"]
    ordering = ["-id"]

    expires = time_column("expires_at")


@admin.register(WorkLease)
class WorkLeaseAdmin(ReadOnlyAdmin[WorkLease]):
    list_display = ["name", "holder", "expires"]
    empty_message = (
        "Appear while a worker runs a task that only one process may run at a time, such as checking images at the "
        "target."
    )
    search_fields = ["name", "holder"]
    ordering = ["name"]

    expires = time_column("expires_at")
