"""Admin of the workloads that use an image, and of the namespaces that are allowed to use a private one."""

from __future__ import annotations

from django.contrib import admin

from mirrors.admin.tools.base import ReadOnlyAdmin
from mirrors.admin.tools.list_filters.clusters import ClusterListFilter, namespace_column
from mirrors.admin.tools.list_filters.namespace_filter import OwnNamespaceFilter
from mirrors.admin.tools.lists.columns import boolean_column, time_column
from mirrors.models import ImageUse, MappingAccess
from mirrors.selectors.queries.search_fields import SEARCH_FIELDS


@admin.register(MappingAccess)
class MappingAccessAdmin(ReadOnlyAdmin[MappingAccess]):
    list_display = ["mapping", "shown_namespace", "is_granted", "checked"]
    empty_message = (
        "Appear after a worker checks the pull secrets of a namespace. For all private images, see Private images in "
        "the menu."
    )
    list_filter = ["granted", OwnNamespaceFilter, ClusterListFilter]
    list_select_related = ["mapping"]
    search_fields = ["namespace", "mapping__source"]
    ordering = ["-id"]

    is_granted = boolean_column("granted")
    shown_namespace = namespace_column
    checked = time_column("checked_at")


@admin.register(ImageUse)
class ImageUseAdmin(ReadOnlyAdmin[ImageUse]):
    list_display = ["mapping", "shown_namespace", "workload_kind", "workload", "first_seen", "last_seen"]
    empty_message = "Appear after pods are admitted: register the webhook with your cluster and create a pod."
    list_select_related = ["mapping"]
    search_fields = SEARCH_FIELDS[ImageUse]
    ordering = ["-id"]

    list_filter = [OwnNamespaceFilter, ClusterListFilter]

    first_seen = time_column("first_seen_at")
    shown_namespace = namespace_column
    last_seen = time_column("last_seen_at")
