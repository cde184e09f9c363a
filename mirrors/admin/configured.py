"""Admin of what is configured: registries and filters."""

from __future__ import annotations

from django.contrib import admin, messages
from django.forms import ModelForm
from django.http import HttpRequest

from mirrors.admin.base import ConfiguredAdmin
from mirrors.models import Filter, Registry, RegistryKind, RegistryRole


@admin.register(Filter)
class FilterAdmin(ConfiguredAdmin[Filter]):
    list_display = ["name", "jmespath", "position", "enabled", "managed_by"]
    list_filter = ["managed_by", "enabled"]
    search_fields = ["name", "jmespath"]
    ordering = ["managed_by", "position", "id"]
    fields = ["name", "jmespath", "position", "enabled"]


@admin.register(Registry)
class RegistryAdmin(ConfiguredAdmin[Registry]):
    list_display = ["endpoint", "prefix", "role", "kind", "enabled", "managed_by"]
    list_filter = ["role", "kind", "managed_by", "enabled"]
    search_fields = ["name", "endpoint"]
    ordering = ["role", "endpoint"]
    fields = ["name", "endpoint", "username", "credential_ref", "insecure", "ca_file", "enabled"]

    def save_model(self, request: HttpRequest, obj: Registry, form: ModelForm[Registry], change: bool) -> None:
        """Operators add sources; the target is the configuration file's."""
        obj.role, obj.kind = RegistryRole.SOURCE, RegistryKind.OCI
        had_log_in = bool(obj.credential_ref)
        super().save_model(request, obj, form, change)
        if had_log_in and not obj.credential_ref:
            text = "The host has changed, so its log-in was taken away: name the new host's one, if it needs one."
            messages.warning(request, text)
