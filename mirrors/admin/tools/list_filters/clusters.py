"""The clusters of rows in lists: the column of their namespace, that of rows of the configuration, and a filter where
there are several."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db import models
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from unfold.contrib.filters.admin import DropdownFilter

from mirrors.admin.tools.lists.list_rendering import label
from mirrors.models import Filter, ManagedBy, Registry
from mirrors.selectors.clusters.clusters import clusters_in_words, place_name
from mirrors.selectors.queries.known_clusters import known_clusters
from mirrors.vocabulary.clusters import ALL_CLUSTERS


@admin.display(description="namespace", ordering="namespace")
def namespace_column(self: Any, row: models.Model) -> str:
    """The namespace; of another cluster than this one, with the cluster's name."""
    return place_name(row.cluster, row.namespace) or "–"  # type: ignore[attr-defined]


@admin.display(description="cluster", ordering="cluster")
def clusters_column(self: Any, row: Filter | Registry) -> Any:
    """The clusters that a filter or a registry is for. ``cluster_warning`` of a row says that one is not known."""
    words = clusters_in_words(row)
    if not (warning := getattr(row, "cluster_warning", "")):
        return words
    return format_html('<span title="{}">{}</span>', warning, label(f"{words} (unknown)", "warning"))


def clusters_of(request: HttpRequest) -> list[str]:
    """The known clusters, read once a request."""
    if not hasattr(request, "known_clusters"):
        request.known_clusters = known_clusters()  # type: ignore[attr-defined]
    return request.known_clusters  # type: ignore[attr-defined, no-any-return]


def names_clusters(request: HttpRequest, model: type[Filter] | type[Registry]) -> bool:
    """Whether a list of the configuration has the column: for several clusters, or one that is not known."""
    if not hasattr(request, "names_clusters"):
        known = clusters_of(request)
        others = model.objects.filter(managed_by=ManagedBy.OPERATOR).exclude(cluster__in=[ALL_CLUSTERS, *known])
        request.names_clusters = len(known) > 1 or others.exists()  # type: ignore[attr-defined]
    return request.names_clusters  # type: ignore[attr-defined, no-any-return]


class ClusterListFilter(DropdownFilter):
    """Rows of one cluster; shown where several share the database, and where a link asks for one."""

    title = parameter_name = "cluster"
    field = "cluster"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin[Any]) -> list[tuple[str, str]]:
        return [(name, name) for name in known_clusters()]

    def has_output(self) -> bool:
        return len(self.lookup_choices) > (0 if self.value() else 1)

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(**{self.field: self.value()}) if self.value() else queryset
