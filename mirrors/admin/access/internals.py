"""Admin of rows that the system keeps for itself: blobs at targets, revisions; django-q2's rows are hidden."""

from __future__ import annotations

from django.contrib import admin
from django_q.models import Failure, OrmQ, Schedule, Success

from mirrors.admin.tools.base import ReadOnlyAdmin
from mirrors.models import (
    BlobLocation,
    Revision,
)

# django-q2's rows are only wake-ups, and its schedules are pickles that must not be edited.
for queue_row in (OrmQ, Schedule, Success, Failure):
    admin.site.unregister(queue_row)


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
