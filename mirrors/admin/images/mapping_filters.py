"""Filters of the list of mappings."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib.admin import ModelAdmin
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from unfold.contrib.filters.admin import DropdownFilter, TextFilter

from mirrors.admin.tools.list_filters.clusters import ClusterListFilter
from mirrors.models import Access, ImageMapping, ImageUse, Registry, RegistryRole
from mirrors.selectors.images.mapping_search import REASON_CHOICES, with_reasons
from mirrors.selectors.images.mapping_states import LISTED
from mirrors.selectors.queries.known_clusters import in_namespace

Rows = QuerySet[ImageMapping]
PRIVATE = "private"
AGES = {
    "day": ("In the last 24 hours", timedelta(days=1), True),
    "week": ("In the last 7 days", timedelta(days=7), True),
    "not-week": ("Not in the last 7 days", timedelta(days=7), False),
    "not-month": ("Not in the last 30 days", timedelta(days=30), False),
    "not-quarter": ("Not in the last 90 days", timedelta(days=90), False),
}


class MappingStateFilter(DropdownFilter):
    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin[Any]) -> list[tuple[str, str]]:
        return [(key, text) for key, (text, _) in LISTED.items()]

    def queryset(self, request: HttpRequest, queryset: Rows) -> Rows:
        choice = LISTED.get(self.value() or "")
        return queryset.filter(choice[1]) if choice else queryset


class ReasonFilter(DropdownFilter):
    """Why an image is not mirrored: the error of its last copy, or what blocks it."""

    title = "reason"
    parameter_name = "reason"

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin[Any]) -> list[tuple[str, str]]:
        return [(key, str(text)) for key, text in REASON_CHOICES if key]

    def queryset(self, request: HttpRequest, queryset: Rows) -> Rows:
        reason = self.value()
        return with_reasons(queryset, [reason]) if reason else queryset


class SeenFilter(DropdownFilter):
    """When a pod or a user last requested the image."""

    title = "last requested"
    parameter_name = "seen"

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin[Any]) -> list[tuple[str, str]]:
        return [(key, text) for key, (text, _, _) in AGES.items()]

    def queryset(self, request: HttpRequest, queryset: Rows) -> Rows:
        choice = AGES.get(self.value() or "")
        if choice is None:
            return queryset
        _, age, is_within = choice
        since = timezone.now() - age
        return queryset.filter(last_seen_at__gte=since) if is_within else queryset.filter(last_seen_at__lt=since)


class AccessFilter(DropdownFilter):
    """How the source can be read. Images that were read only with credentials are private."""

    title = "access"
    parameter_name = "access"

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin[Any]) -> list[tuple[str, str]]:
        return [
            (PRIVATE, "Private (needs credentials)"),
            *((value, str(label)) for value, label in Access.choices),
        ]

    def queryset(self, request: HttpRequest, queryset: Any) -> Rows:
        rows: Rows = queryset
        if self.value() == PRIVATE:
            return rows.private()  # type: ignore[attr-defined, no-any-return]
        return rows.filter(access=self.value()) if self.value() in Access.values else rows


class TargetFilter(DropdownFilter):
    """Images that are mirrored to one target registry."""

    title = "target registry"
    parameter_name = "target_registry__id__exact"

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin[Any]) -> list[tuple[str, str]]:
        targets = Registry.objects.filter(role=RegistryRole.TARGET).order_by("endpoint", "prefix")
        return [(str(row.pk), str(row)) for row in targets]

    def queryset(self, request: HttpRequest, queryset: Rows) -> Rows:
        key = self.value() or ""
        return queryset.filter(target_registry=int(key)) if key.isascii() and key.isdecimal() else queryset


class NamespaceFilter(TextFilter):
    """Images that pods of a namespace use, in all clusters or, as ``CLUSTER/NAMESPACE``, in one."""

    title = "namespace"
    parameter_name = "namespace"

    def queryset(self, request: HttpRequest, queryset: Rows) -> Rows:
        if not (name := (self.value() or "").strip()):
            return queryset
        uses = ImageUse.objects.filter(in_namespace(name), mapping=OuterRef("pk"))
        # One use has to match both filters: in the cluster, other namespaces may use the image too.
        cluster = request.GET.get(UsedInClusterFilter.parameter_name)
        return queryset.filter(Exists(uses.filter(cluster=cluster) if cluster else uses))


class UsedInClusterFilter(ClusterListFilter):
    """Images that pods of a cluster use."""

    def queryset(self, request: HttpRequest, queryset: Rows) -> Rows:
        uses = ImageUse.objects.filter(mapping=OuterRef("pk"), cluster=self.value())
        return queryset.filter(Exists(uses)) if self.value() else queryset


class SourceFilter(TextFilter):
    """Images of one source registry."""

    title = "source registry"
    parameter_name = "source"

    def queryset(self, request: HttpRequest, queryset: Rows) -> Rows:
        host = (self.value() or "").strip().lower()
        return queryset.filter(source__startswith=f"{host}/") if host else queryset
