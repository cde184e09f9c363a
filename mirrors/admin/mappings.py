"""Admin of mappings: what is mirrored where."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest

from mirrors.admin.base import PlainAdmin, ReadOnlyAdmin
from mirrors.models import ImageMapping, ImageUse, MappingAccess


@admin.register(ImageMapping)
class ImageMappingAdmin(PlainAdmin[ImageMapping]):
    list_display = ["source", "target", "existence", "access", "paused", "verified_at", "last_seen_at"]
    list_filter = ["existence", "access", "paused", "target_registry"]
    list_select_related = ["target_registry"]
    search_fields = ["source", "target"]
    ordering = ["-id"]
    fields = (
        "source",
        "target",
        "target_registry",
        "paused",  # the one that operators change
        "existence",
        "verified_at",
        "source_checked_at",
        "source_digest",
        "target_digest",
        "platforms",
        "size_bytes",
        "access",
        "last_job",
        "last_seen_at",
        "changed_at",
        "created_at",
    )
    readonly_fields = (*fields[:3], *fields[4:])

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: ImageMapping | None = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: ImageMapping, form: object, change: bool) -> None:
        """Pausing must reach all webhooks."""
        ImageMapping.objects.filter(pk=obj.pk).record(paused=obj.paused)


@admin.register(MappingAccess)
class MappingAccessAdmin(ReadOnlyAdmin[MappingAccess]):
    list_display = ["mapping", "namespace", "granted", "checked_at"]
    list_select_related = ["mapping"]
    search_fields = ["namespace", "mapping__source"]


@admin.register(ImageUse)
class ImageUseAdmin(ReadOnlyAdmin[ImageUse]):
    list_display = ["mapping", "namespace", "workload_kind", "workload", "first_seen_at", "last_seen_at"]
    list_select_related = ["mapping"]
    search_fields = ["namespace", "workload", "mapping__source"]
    ordering = ["-id"]
