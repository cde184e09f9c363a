"""Admin of connection tests of registries."""

from __future__ import annotations

from django.contrib import admin

from mirrors.admin.tools.base import ReadOnlyAdmin
from mirrors.admin.tools.lists.columns import status, time_column
from mirrors.models import (
    RegistryCheck,
)


@admin.register(RegistryCheck)
class RegistryCheckAdmin(ReadOnlyAdmin[RegistryCheck]):
    list_display = ["registry", "status_label", "requested_by", "created", "finished"]
    empty_message = "Appear after a connection test: open a registry and select Test connection."
    list_filter = ["status"]
    list_select_related = ["registry"]
    search_fields = ["registry__endpoint"]
    ordering = ["-id"]

    status_label = status
    created = time_column("created_at", "requested")
    finished = time_column("finished_at", "finished")
