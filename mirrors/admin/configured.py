"""Admin of filters."""

from __future__ import annotations

from django.contrib import admin

from mirrors.admin.base import ConfiguredAdmin
from mirrors.models import Filter


@admin.register(Filter)
class FilterAdmin(ConfiguredAdmin[Filter]):
    list_display = ["name", "jmespath", "position", "enabled", "managed_by"]
    list_filter = ["managed_by", "enabled"]
    search_fields = ["name", "jmespath"]
    ordering = ["managed_by", "position", "id"]
    fields = ["name", "jmespath", "position", "enabled"]
